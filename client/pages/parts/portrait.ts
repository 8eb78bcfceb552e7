/** A person's thumbnail, or initials on a colour of their own. */
import { toHex } from '../../../protocol/bytes.ts'
import { element } from './element.ts'
import { pictureUrl } from './picture-url.ts'

export interface Person {
  readonly id: Uint8Array
  readonly name: string | undefined
  readonly thumb: Uint8Array | undefined
}

export function portrait(person: Person, size: 'small' | 'large' = 'small'): HTMLElement {
  if (person.thumb !== undefined) {
    return element('img', { class: `portrait ${size}`, alt: '', src: pictureUrl(person.thumb) })
  }
  const initials = (person.name ?? '')
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, 2)
    .map(firstLetter)
    .join('')
    .toUpperCase()
  const made = element('span', { class: `portrait ${size}`, 'aria-hidden': 'true' }, initials || '?')
  // Eight tints in the style sheet: an id always gets the same one.
  made.classList.add(`tint-${(person.id[0] ?? 0) % 8}`)
  return made
}

/** Some letters are several code points. */
function firstLetter(word: string): string {
  const [first] = new Intl.Segmenter().segment(word)
  return first?.segment ?? ''
}

export function personName(person: Person): string {
  return person.name ?? `Someone (${toHex(person.id).slice(0, 6)})`
}
