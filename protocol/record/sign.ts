import { contexts, signedMessage } from '../context.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { encodeHeader } from './header.ts'
import { buildSection, sealSection } from './section.ts'
import type { DraftSection, RecordDraft, RecordHeader, SectionHeader, SignedRecord } from './types.ts'
import { wireBytes } from './wire.ts'

/** Builds, seals, hashes and signs. Throws BAD_MESSAGE or TOO_LARGE for what no node would accept. */
export function signRecord(crypto: CryptoProvider, draft: RecordDraft, deviceSeed: Uint8Array): SignedRecord {
  const unsectioned = { ...draft, device: crypto.signingPublicKey(deviceSeed), sections: [] }
  const sections = draft.sections.map((section, index) => sectionBytes(crypto, unsectioned, section, index))
  const header: RecordHeader = {
    ...unsectioned,
    sections: draft.sections.map(
      (section, index): SectionHeader => ({
        audience: section.audience,
        heights: section.heights ?? {},
        epoch: section.sealing?.epoch ?? 0,
        length: (sections[index] as Uint8Array).length,
        hash: crypto.sha256(sections[index] as Uint8Array),
      }),
    ),
  }
  const headerBytes = encodeHeader(header)
  const message = signedMessage(contexts.record, headerBytes)
  const record = {
    header,
    headerBytes: message.subarray(message.length - headerBytes.length),
    message,
    signature: crypto.sign(message, deviceSeed),
    sections,
    id: crypto.sha256(message),
  }
  if (wireBytes(record) > limits.recordBytesMax) {
    throw new OnehopError('TOO_LARGE', `a record of ${wireBytes(record)} bytes is more than allowed`)
  }
  return record
}

function sectionBytes(
  crypto: CryptoProvider,
  header: RecordHeader,
  section: DraftSection,
  index: number,
): Uint8Array {
  const plain = buildSection(crypto, section.fields)
  const { audience, sealing } = section
  if (audience === 'public') return plain
  if (sealing === undefined) {
    throw new OnehopError('BAD_REQUEST', `sections[${index}]: a key is needed unless it is for everybody`)
  }
  return sealSection(crypto, { ...header, index, audience, epoch: sealing.epoch }, plain, sealing.key)
}
