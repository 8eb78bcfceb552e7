import { toHex } from '../../../protocol/bytes.ts'
import { actionButton, element, field } from '../parts/element.ts'
import type { Phone } from './phone.ts'

/** A button that asks first: since when somebody else had the device, and once more, as it is for good. */
export function shutOutButton(
  phone: Phone,
  device: Uint8Array,
  label: string,
  failed: (error: unknown) => void,
): HTMLElement {
  const place = element('div', { class: 'stack tight' })
  const since = element('input', { type: 'datetime-local', id: `since-${toHex(device)}` })
  const shut = (): Promise<void> =>
    phone.shutOut(device, since.value === '' ? undefined : Date.parse(since.value))
  const ask = element(
    'button',
    {
      type: 'button',
      class: 'button danger',
      onclick: () =>
        place.replaceChildren(
          field(
            'Somebody else has had it since',
            since,
            // Entries of a group's log have no dates.
            'What it wrote from then on goes. Left empty, all stays. What it changed in groups since then, such as who is in them, stays: look through them.',
          ),
          actionButton('Yes, for good', 'danger', shut, failed),
          element(
            'button',
            { type: 'button', class: 'button quiet', onclick: () => place.replaceChildren(ask) },
            'No',
          ),
        ),
    },
    label,
  )
  place.append(ask)
  return place
}
