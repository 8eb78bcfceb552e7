import { OnehopError } from '../../../protocol/errors.ts'
import { element, field, fill } from '../parts/element.ts'
import { noticePlace } from '../parts/notice.ts'

const keptName = 'onehop-admin-token'
const pattern = /^[0-9a-f]{64}$/

/** From the link that the node printed, else from this tab. The fragment leaves the address bar and the history. */
export function readToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token')
  if (given !== null) {
    history.replaceState(null, '', location.pathname)
    if (pattern.test(given)) sessionStorage.setItem(keptName, given)
  }
  return sessionStorage.getItem(keptName) ?? undefined
}

export function forgetToken(): void {
  sessionStorage.removeItem(keptName)
}

/** Resolves with a token once a person pasted one. */
export function askToken(page: HTMLElement, problem: unknown): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const problems = noticePlace()
  const input = element('input', { id: 'token', autocomplete: 'off', spellcheck: 'false', type: 'password' })
  const form = element(
    'form',
    { class: 'card stack' },
    field(
      'Admin token',
      input,
      'The file admin-token in the node’s state folder holds it; onehop paths says where that is.',
    ),
    problems.element,
    element('button', { class: 'button primary' }, 'Open the dashboard'),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const token = input.value.trim().toLowerCase()
    if (!pattern.test(token)) {
      problems.show(
        new OnehopError('BAD_FIELD', 'a token is 64 hexadecimal digits', { help: 'Copy the whole line.' }),
      )
      return
    }
    sessionStorage.setItem(keptName, token)
    resolve(token)
  })
  fill(
    page,
    element(
      'main',
      { class: 'gate stack' },
      element('h1', {}, 'The dashboard of this node'),
      element(
        'p',
        { class: 'soft' },
        'Open it with the link that the node prints when it starts, or that onehop status shows. Or paste the token here.',
      ),
      form,
    ),
  )
  if (problem !== undefined) problems.show(problem)
  input.focus()
  return promise
}
