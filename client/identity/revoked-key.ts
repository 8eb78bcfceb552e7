/** A device whose key was revoked, and that comes back with the recovery words: it goes on under another. */
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { privateKeyFor } from '../../protocol/identity/box.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'
import { openSection } from '../../protocol/record/section.ts'
import type { Identity } from './identity.ts'
import { keyNames } from '../key-store.ts'
import { heldOf, resigned, type NextKeyParts } from './next-key.ts'
import type { Sealing } from '../sealing.ts'

export interface TakenKey {
  /** Records that waited for a node, signed anew. */
  readonly records: number
  /** Records that waited and could not be opened here, as what is sealed for a group: they were given up. */
  readonly left: number
}

/** Keeps the next key, which `log` admits, in place of the one that was revoked, with what waited for a node. */
export async function takeKey(
  parts: Omit<NextKeyParts, 'sealing' | 'identity'> & { readonly identity: Identity },
  next: DeviceSecrets,
  log: Uint8Array,
): Promise<TakenKey> {
  const { keys, crypto, identity } = parts
  const held = await heldOf(parts)
  return keys.lock(keyNames.writer, async () => {
    const sealing = ownSealing(crypto, identity)
    const { changes, records, left } = await resigned({ ...parts, sealing }, next, held, {
      leaveSealed: true,
    })
    changes.set(keyNames.identityLog, log)
    await keys.write(changes)
    return { records, left }
  })
}

/** Opens what is public and what is this person's alone: for more, others would have to be asked. */
function ownSealing(crypto: CryptoProvider, { id, boxes }: Identity): Pick<Sealing, 'open'> {
  return {
    open(record, index) {
      const fields = openSection(crypto, record, index)
      if (fields !== undefined) return { fields, key: undefined }
      const { app, collection, sections } = record.header
      const section = sections[index]
      if (section?.audience !== 'private') return undefined
      for (const box of boxes.ofEpoch(section.epoch)) {
        const key = privateKeyFor(crypto, box, { owner: id, app, collection })
        const opened = openSection(crypto, record, index, key)
        if (opened !== undefined) return { fields: opened, key }
      }
      return undefined
    },
  }
}

/** What a device that is shut out is told: nothing that it signs counts. */
export function deviceShutOut(): OnehopError {
  return new OnehopError('REVOKED', 'the key of this device was revoked in your identity', {
    help: 'It comes back under another key: onehop recover gives this command line one, with your recovery words; a phone is paired again.',
  })
}

/** What is asked of a node whose key was revoked: no identity admits a key a second time. */
export function nodeShutOut(): OnehopError {
  return new OnehopError('REVOKED', 'the key of this node was revoked in your identity, for good', {
    help: 'Start it with another --state folder: that makes it another node, at which you can live.',
  })
}
