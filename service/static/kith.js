// The design system's own behaviours; every page works without them.
import { initAll } from './govuk-frontend/govuk-frontend.min.js'
initAll()
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => window.print())
}
// What is being worked out is asked for again; without script there is a button.
for (const form of document.querySelectorAll('form[data-again]')) {
  setTimeout(() => { if (!document.querySelector('main input:checked')) form.submit() }, 2000)  // no tick is lost
}
