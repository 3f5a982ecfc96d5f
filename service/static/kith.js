// The design system's own behaviours; every page works without them.
import { initAll } from './govuk-frontend/govuk-frontend.min.js'
initAll()
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => window.print())
}
