import type { BlobFolder, BlobStage } from './blobs.ts'

interface MemoryBlob {
  manifest: Uint8Array | undefined
  readonly chunks: Map<number, Uint8Array>
}

/** For tests and the simulator. */
export class MemoryBlobFolder implements BlobFolder {
  readonly #blobs = new Map<string, MemoryBlob>()

  async readManifest(name: string): Promise<Uint8Array | undefined> {
    return this.#blobs.get(name)?.manifest
  }

  async writeManifest(name: string, bytes: Uint8Array): Promise<void> {
    this.#blob(name).manifest = bytes.slice()
  }

  async readChunk(name: string, index: number): Promise<Uint8Array | undefined> {
    return this.#blobs.get(name)?.chunks.get(index)
  }

  async writeChunk(name: string, index: number, bytes: Uint8Array): Promise<void> {
    this.#blob(name).chunks.set(index, bytes.slice())
  }

  async chunkIndexes(name: string): Promise<Set<number>> {
    return new Set(this.#blobs.get(name)?.chunks.keys())
  }

  async stage(): Promise<BlobStage> {
    const chunks = new Map<number, Uint8Array>()
    return {
      writeChunk: async (index, bytes) => {
        chunks.set(index, bytes)
      },
      finish: async (name, manifest) => {
        this.#blobs.set(name, { manifest, chunks })
      },
      abandon: async () => chunks.clear(),
    }
  }

  async remove(name: string): Promise<void> {
    this.#blobs.delete(name)
  }

  /** All that a disk would hold. */
  contents(): readonly Uint8Array[] {
    return [...this.#blobs.values()].flatMap(({ manifest, chunks }) => [
      ...(manifest === undefined ? [] : [manifest]),
      ...chunks.values(),
    ])
  }

  #blob(name: string): MemoryBlob {
    let blob = this.#blobs.get(name)
    if (blob === undefined) {
      blob = { manifest: undefined, chunks: new Map() }
      this.#blobs.set(name, blob)
    }
    return blob
  }
}
