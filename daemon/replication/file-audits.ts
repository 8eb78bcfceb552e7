import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import { chunkLength } from '../../protocol/blob-manifest.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Random } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeFileAuditAsk, encodeFileAuditAsk, fileProof } from '../../protocol/replication/audit.ts'
import { decodeBlobLists, encodeBlobListAsks } from '../../protocol/replication/blob-lists.ts'
import { decodeMaybe, encodeMaybe } from '../../protocol/replication/messages.ts'
import type { BlobStore } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { BlobCopies } from './blob-copies.ts'
import type { Holders } from './holders.ts'

export interface FileAuditsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly random: Random
  readonly blobs: BlobStore
  readonly hosting: Pick<Hosting, 'has'>
  readonly holders: Pick<Holders, 'isHolder'>
  readonly copies: Pick<BlobCopies, 'wholeOf'>
}

/** Of the files that a holder says to have whole, some bytes of one. What it does not claim, as for want of room, it need not show. */
export class FileAudits {
  readonly #parts: FileAuditsParts

  constructor(parts: FileAuditsParts) {
    this.#parts = parts
    parts.rpc.handle('shard/audit-file', async ({ from, body }) => {
      const { owner, blob, index, ...rest } = decodeFileAuditAsk(body)
      if (!parts.hosting.has(owner))
        throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
      if (!parts.holders.isHolder(owner, from))
        throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
      const chunk = await parts.blobs.chunk(blob, index)
      return encodeMaybe(chunk && fileProof(parts.crypto, rest, chunk))
    })
  }

  /** True where it showed what it was asked for, or nothing can be asked. */
  async hasFiles(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<boolean> {
    const { blobs, crypto, random, rpc } = this.#parts
    const blob = await this.#draw(node, owner, signal)
    const manifest = blob && (await blobs.manifest(blob))
    if (blob === undefined || manifest === undefined) return true
    const nonce = random.bytes(32)
    const index = below(random, manifest.chunks.length)
    const chunk = await blobs.chunk(blob, index)
    // What rotted here must not be held against others.
    const isGood = chunk !== undefined && equalBytes(crypto.sha256(chunk), manifest.chunks[index] ?? nonce)
    if (!isGood) return true
    const offset = below(random, chunkLength(manifest, index))
    const body = encodeFileAuditAsk({ owner, blob, index, offset, nonce })
    const proof = decodeMaybe(
      await rpc.request(node, 'shard/audit-file', body, { signal, timeoutMs: 30_000 }),
    )
    return proof !== undefined && equalBytes(proof, fileProof(crypto, { nonce, offset }, chunk))
  }

  /** It says to have every file that is whole here. */
  async claimsAll(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<boolean> {
    const { own, both } = await this.#compare(node, owner, signal)
    return own.length === both.length
  }

  /** One that both have. */
  async #draw(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { both } = await this.#compare(node, owner, signal)
    return both[below(this.#parts.random, both.length)]
  }

  async #compare(
    node: NodeId,
    owner: IdentityId,
    signal: AbortSignal,
  ): Promise<Record<'own' | 'both', readonly Uint8Array[]>> {
    const { copies, crypto, rpc } = this.#parts
    const own = await copies.wholeOf(owner)
    if (own.length === 0) return { own, both: own }
    const body = encodeBlobListAsks([{ owner, digest: crypto.sha256(concatBytes(...own)) }])
    const [listed] = decodeBlobLists(
      await rpc.request(node, 'shard/blobs', body, { signal, timeoutMs: 30_000 }),
    )
    const theirs = listed && new Set(listed.map(toHex))
    return { own, both: own.filter((blob) => theirs === undefined || theirs.has(toHex(blob))) }
  }
}

function below(random: Random, count: number): number {
  const [a = 0, b = 0, c = 0] = random.bytes(3)
  return Math.floor(((a * 65_536 + b * 256 + c) / 2 ** 24) * count)
}
