import { encodeManifest, readManifest } from '../../protocol/blob-manifest.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { BlobManifest, BlobStore } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { BlobCopies } from '../replication/blob-copies.ts'
import { requireWriter } from './caller.ts'
import type { Uploads } from './uploads.ts'

export interface BlobOperationsParts {
  readonly crypto: CryptoProvider
  readonly clock: Pick<Clock, 'nowMs'>
  readonly blobs: BlobStore
  readonly hosting: Hosting
  readonly identities: Identities
  readonly copies: BlobCopies
  readonly uploads: Uploads
}

type Names =
  | 'blob.begin'
  | 'blob.put'
  | 'blob.stage'
  | 'blob.commit'
  | 'blob.drop'
  | 'blob.manifest'
  | 'blob.get'

export function blobOperations({
  crypto,
  clock,
  blobs,
  hosting,
  identities,
  copies,
  uploads,
}: BlobOperationsParts): Pick<Operations, Names> {
  const known = async (blob: Uint8Array): Promise<BlobManifest> => {
    const manifest = await blobs.manifest(blob)
    if (manifest === undefined) throw new OnehopError('NOT_FOUND', `no blob ${toHex(blob)} here`)
    return manifest
  }
  return {
    async 'blob.begin'({ owner, manifest }, { caller }) {
      requireWriter(identities, caller, owner, clock.nowMs())
      const blob = crypto.sha256(manifest)
      const { size } = readManifest(crypto, blob, manifest)
      // One that is held is counted already: an upload that goes on needs no more room.
      if (!copies.isHeldFor(owner, blob)) {
        if (!hosting.hasRoom(owner, size))
          throw new OnehopError('NO_QUOTA', `${size} bytes do not fit into the quota`)
        await blobs.putManifest(blob, manifest)
      }
      await copies.hold(owner, blob)
      const missing = (await blobs.missing(blob)) ?? []
      return { blob, size, missing: missing.slice(0, apiLimits.missingChunksMax) }
    },

    async 'blob.put'({ owner, blob, index, chunk }, { caller }) {
      requireWriter(identities, caller, owner, clock.nowMs())
      if (!copies.isHeldFor(owner, blob))
        throw new OnehopError('BAD_REQUEST', 'begin the blob with its manifest')
      await blobs.putChunk(blob, index, chunk)
      const complete = await blobs.has(blob)
      if (complete) copies.spread(owner, blob)
      return { complete }
    },

    async 'blob.stage'({ owner, upload, index, chunk }, { caller }) {
      requireWriter(identities, caller, owner, clock.nowMs())
      await uploads.stage(owner, upload, index, chunk)
      return {}
    },

    async 'blob.commit'({ owner, upload, manifest }, { caller }) {
      requireWriter(identities, caller, owner, clock.nowMs())
      const blob = crypto.sha256(manifest)
      const { size } = readManifest(crypto, blob, manifest)
      await uploads.commit(owner, upload, blob, manifest)
      copies.spread(owner, blob)
      return { blob, size }
    },

    async 'blob.drop'({ owner, upload }, { caller }) {
      requireWriter(identities, caller, owner, clock.nowMs())
      await uploads.drop(owner, upload)
      return {}
    },

    async 'blob.manifest'({ blob }) {
      return { manifest: encodeManifest(await known(blob)) }
    },

    async 'blob.get'({ blob, offset, length }) {
      const { size } = await known(blob)
      const end = Math.min(size, offset + Math.min(length, limits.blobChunkBytes))
      if (offset > size) throw new OnehopError('BAD_REQUEST', `the blob has ${size} bytes`)
      return { size, bytes: await blobs.read(blob, offset, end) }
    },
  }
}
