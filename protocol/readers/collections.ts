import type { CollectionDocument } from '../schema/document.ts'

/**
 * Two collections that every app has whose schema keeps something for followers, without declaring them: whom the owner
 * approved, with the keys wrapped to them, and how each epoch's key leads to the one before. An ordinary name begins
 * with a letter, so no app can have one of these names.
 */
export const readersCollection = '@readers'
export const epochsCollection = '@epochs'

/** Pages of readers of one owner and app: by the first byte of the reader's id, so that each knows where to look. */
export const readerPages = 256

export const readerCollections: Readonly<Record<string, CollectionDocument>> = {
  [readersCollection]: {
    key: { field: 'page' },
    fields: {
      page: { type: 'integer', required: true, min: 0, max: readerPages - 1 },
      /** X25519 key of the device that wrapped what is on the page. */
      sender: { type: 'bytes', required: true, max: 32 },
      /** As in page.ts. */
      readers: { type: 'bytes', required: true, max: 65_536 },
    },
  },
  [epochsCollection]: {
    key: { field: 'epoch' },
    fields: {
      epoch: { type: 'integer', required: true, min: 1 },
      before: { type: 'integer', min: 1 },
      /** The secret of the epoch before, for whoever has this epoch's. */
      chain: { type: 'bytes', max: 72 },
    },
  },
}

export function isReaderCollection(name: string): boolean {
  return name === readersCollection || name === epochsCollection
}
