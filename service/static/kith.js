// The design system's own behaviours; every page works without them.
import { initAll } from './govuk-frontend/govuk-frontend.min.js'
initAll()
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => window.print())
}
// What is to be handed on is copied by a button; without script its field is selected by hand.
for (const button of document.querySelectorAll('[data-copy]')) {
  const field = document.getElementById(button.dataset.copy)
  button.hidden = false
  field.addEventListener('focus', () => field.select())
  button.addEventListener('click', async () => {
    field.select()
    // Beyond this machine a browser has a clipboard for pages over HTTPS alone.
    try { await navigator.clipboard.writeText(field.value) } catch { if (!document.execCommand('copy')) return }
    button.textContent = button.dataset.copied
  })
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
