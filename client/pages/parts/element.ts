/** Elements without a framework. Text always goes in as text, so nothing that a stranger wrote becomes markup. */
type Attribute = string | number | boolean | undefined | ((event: Event) => void)
export type Child = Node | string | undefined | false

/** `onclick` and the like take functions, `class` and every attribute strings; `true` and `false` set or leave out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.replace(/^on/, ''), value)
    else if (typeof value === 'boolean') made.toggleAttribute(name, value)
    else if (value !== undefined) made.setAttribute(name, String(value))
  }
  made.append(...present(children))
  return made
}

/** Puts these in place of what the element held. */
export function fill(target: Element, ...children: readonly Child[]): void {
  target.replaceChildren(...present(children))
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.filter((child) => child !== undefined && child !== false)
}

/** Handlers answer at once; what they start tells its own failures to `failed`. */
export function whenDone(work: Promise<unknown>, failed: (error: unknown) => void): void {
  work.catch(failed)
}

/** A button that cannot be pressed twice while its work is under way. */
export function actionButton(
  label: string,
  kind: 'primary' | 'secondary' | 'quiet' | 'danger',
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): HTMLButtonElement {
  const button = element('button', { type: 'button', class: `button ${kind}` }, label)
  button.addEventListener('click', () => {
    button.disabled = true
    button.setAttribute('aria-busy', 'true')
    const done = work().finally(() => {
      button.disabled = false
      button.removeAttribute('aria-busy')
    })
    whenDone(done, failed)
  })
  return button
}

/** A label above a field, with words below that help or say what is wrong. */
export function field(label: string, control: HTMLElement, hint?: string): HTMLElement {
  const id = control.id === '' ? `field-${label.toLowerCase().replaceAll(/[^a-z]+/g, '-')}` : control.id
  control.id = id
  if (hint !== undefined) control.setAttribute('aria-describedby', `${id}-hint`)
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    control,
    hint !== undefined && element('p', { class: 'hint', id: `${id}-hint` }, hint),
  )
}
