import { equalBytes, toHex } from '../bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { ErrorCode } from '../errors.ts'
import { deviceOf, holds } from '../identity/access.ts'
import type { DeviceState, IdentityState } from '../identity/types.ts'
import { clockMs } from './clock.ts'
import type { RecordHeader, SignedRecord, VerifiedRecord } from './types.ts'

export type Verdict =
  | { readonly ok: true; readonly record: VerifiedRecord }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

type Refusal = { readonly ok: false; readonly code: ErrorCode; readonly message: string }

/**
 * The only way to a VerifiedRecord. `owner` is the state of the shard's owner, `author` that of the identity whose
 * device signs, where it is another. Depends on the record and the two logs alone, so replicas that hold the same
 * logs come to the same verdict; rules of the present moment (CLOCK_AHEAD, expiry, quota) are the caller's.
 *
 * The log is asked first whether it knows the key at all: that costs a look-up, a signature costs a thousand.
 */
export function verifyRecord(
  crypto: CryptoProvider,
  record: SignedRecord,
  owner: IdentityState,
  author: IdentityState = owner,
): Verdict {
  const { header } = record
  if (!equalBytes(owner.id, header.owner) || !equalBytes(author.id, header.author)) {
    return refuse('UNKNOWN_IDENTITY', 'the identity log of its owner or author is not the one at hand')
  }
  const device = deviceOf(author, header.device)
  if (device === undefined) return refuse('FORBIDDEN', `device ${toHex(header.device)} was never admitted`)
  return (
    checkBytes(crypto, record) ??
    checkRevocation(header, device) ??
    checkRight(header, device, owner) ?? { ok: true, record: record as VerifiedRecord }
  )
}

/** What is wrong with a record by itself, whoever's log: its sections, and its device's signature. */
export function checkBytes(crypto: CryptoProvider, record: SignedRecord): Refusal | undefined {
  const { header, sections } = record
  if (sections.length !== header.sections.length) return refuse('BAD_MESSAGE', 'sections and header differ')
  for (let i = 0; i < sections.length; i++) {
    const [bytes, expected] = [sections[i], header.sections[i]]
    if (bytes === undefined || expected === undefined) continue
    if (bytes.length !== expected.length || !equalBytes(crypto.sha256(bytes), expected.hash)) {
      return refuse('BAD_SIGNATURE', `section ${i} is not the one that was signed`)
    }
  }
  if (!crypto.verifyStrict(record.message, record.signature, header.device)) {
    return refuse('BAD_SIGNATURE', `not signed by device ${toHex(header.device)}`)
  }
  return undefined
}

function checkRevocation(header: RecordHeader, device: DeviceState): Refusal | undefined {
  if (device.revoked === undefined) return undefined
  const lastNumber = device.revoked.numbers.get(toHex(header.owner))?.lastNumber ?? 0
  if (header.number <= lastNumber) return undefined
  return refuse('REVOKED', `device ${toHex(header.device)} was revoked after its record ${lastNumber}`)
}

function checkRight(header: RecordHeader, device: DeviceState, owner: IdentityState): Refusal | undefined {
  if (!equalBytes(header.owner, header.author)) {
    if (owner.type !== 'group') return refuse('FORBIDDEN', "only a group's shard takes records of others")
    const refusal = checkMembership(header, owner)
    if (refusal !== undefined) return refusal
  }
  if (holds(device, header.app, header.collection, 'write', clockMs(header.clock))) return undefined
  return refuse('FORBIDDEN', `the device has no leave to write ${header.app} ${header.collection}`)
}

function checkMembership(header: RecordHeader, group: IdentityState): Refusal | undefined {
  const name = toHex(header.author)
  const member = group.members.get(name)
  if (member !== undefined && member.role !== 'reader') return undefined
  const former = group.formerMembers.get(name)
  if (header.number <= (former?.get(toHex(header.device))?.lastNumber ?? 0)) return undefined
  if (member !== undefined) return refuse('FORBIDDEN', 'the author may only read in the group')
  if (former !== undefined) return refuse('FORBIDDEN', 'the author left the group before this record')
  return refuse('FORBIDDEN', 'the author is not a member of the group')
}

function refuse(code: ErrorCode, message: string): Refusal {
  return { ok: false, code, message }
}
