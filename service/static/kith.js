// The design system's own behaviours; every page works without them.
import { initAll } from './govuk-frontend/govuk-frontend.min.js'
initAll()
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => window.print())
}
// Known words are suggested as they are typed, each after the last semicolon; without script they are in the list below.
for (const input of document.querySelectorAll('input[data-known]')) {
  const words = [...document.querySelectorAll(`#known-${input.dataset.known} [data-words]`)].flatMap(one => one.textContent.split('; '))
  const list = document.createElement('datalist')
  list.id = `${input.id}-known`
  input.after(list)
  input.setAttribute('list', list.id)
  let before
  const offer = () => {
    const now = input.value.match(/^(.*;\s*)?/)[0]
    if (now !== before) list.replaceChildren(...words.map(word => new Option('', (before = now) + word)))
  }
  input.addEventListener('input', offer)
  offer()
}
// What is being worked out is asked for again; without script there is a button.
for (const form of document.querySelectorAll('form[data-again]')) {
  form.action += location.hash  // where on the page somebody was led
  setTimeout(() => { if (!document.querySelector('main input:checked')) form.submit() }, 2000)  // no tick is lost
}
