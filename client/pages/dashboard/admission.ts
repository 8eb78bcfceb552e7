/** A phone that paired as an app waits until a device of its person signs it in; that device is never this page's. */
import { equalBytes } from '../../../protocol/bytes.ts'
import type { PairingStatus } from '../../../protocol/api/messages.ts'
import { httpTransport } from '../../http.ts'
import { element } from '../parts/element.ts'
import { notice } from '../parts/notice.ts'
import { admissionLink } from '../parts/admission-link.ts'
import { qrImage } from '../parts/qr-image.ts'
import type { Admin } from './pairing-panel.ts'

export interface Admission {
  draw(pairing: PairingStatus): Promise<readonly HTMLElement[]>
  /** Hands the log to the pairing once an owner's device has added the phone to it. */
  look(pairing: PairingStatus): Promise<void>
}

export function admission(admin: Admin): Admission {
  const node = httpTransport({ address: location.origin })
  return {
    async draw({ pending, label }) {
      if (pending === null || pending.possession === null) {
        return [element('p', {}, 'The digits are right. Now press “The node took the digits” on the phone.')]
      }
      const link = admissionLink(`${location.origin}/phone/`, {
        identity: pending.identity,
        key: pending.device,
        boxKey: pending.box,
        possession: pending.possession,
        label: label ?? 'a phone',
      })
      return [
        notice(
          'warn',
          `“${label ?? 'The phone'}” waits to be admitted.`,
          'Scan this with the phone that holds the identity, or open the link in the browser that does.',
        ),
        await qrImage(link, 'Request to admit the phone'),
        element(
          'a',
          { class: 'button secondary', href: link, target: '_blank', rel: 'noopener' },
          'Admit it from this browser',
        ),
        element('p', { class: 'soft small' }, 'On the command line: onehop pair.'),
      ]
    },
    async look({ pending }) {
      if (pending === null) return
      const { devices } = await admin.call('admin.devices', { identity: pending.identity })
      const admitted = devices.some(({ device, revoked }) => !revoked && equalBytes(device, pending.device))
      if (!admitted) return
      const { log } = await node.call('identity.get', { identity: pending.identity })
      await admin.call('admin.pair.admit', { log })
    },
  }
}
