import { toHex } from '../../../protocol/bytes.ts'
import { OnehopError } from '../../../protocol/errors.ts'
import { actionButton, element, field } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
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
  const shut = (leaveGroups: boolean): Promise<void> =>
    phone.shutOut(device, since.value === '' ? undefined : Date.parse(since.value), leaveGroups)
  const again = (error: unknown): void => {
    if (!(error instanceof OnehopError) || error.code !== 'LAGGING') return failed(error)
    place.replaceChildren(
      notice(
        'warn',
        'Some of your groups cannot be reached now.',
        'What it did in them counts no more if you shut it out all the same. Or try again later.',
      ),
      actionButton('Shut it out all the same', 'danger', () => shut(true), failed),
      no,
    )
  }
  const no = element(
    'button',
    { type: 'button', class: 'button quiet', onclick: () => place.replaceChildren(ask) },
    'No',
  )
  const ask: HTMLElement = element(
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
          actionButton('Yes, for good', 'danger', () => shut(false), again),
          no,
        ),
    },
    label,
  )
  place.append(ask)
  return place
}
