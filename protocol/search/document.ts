import { limits } from '../limits.ts'
import { type Analyser, analyse } from './analysis.ts'
import type { Layer } from './searchable.ts'

/** One item as an index knows it. An index serves one hierarchy: a scope and the layers' heights are of that. */
export interface SearchDocument {
  /** Names the item: a later document with the same key takes the place of the earlier. */
  readonly key: string
  /** The record's id: breaks ties. */
  readonly id: Uint8Array
  readonly app: string
  readonly collection: string
  /** Where the item's owner stands in the hierarchy. */
  readonly scope: string
  readonly analyser: Analyser
  readonly layers: readonly Layer[]
}

export interface SearchFilter {
  readonly app: string
  /** All of the app when undefined. */
  readonly collection: string | undefined
  /** Documents at or below it, and of them only layers that reach its depth. */
  readonly scope: string
}

/** What may be searched from some depth on downwards, in words. */
export interface AnalysedLayer {
  readonly height: number
  /** In order, each as often as it stands there. */
  readonly words: readonly string[]
}

/** Ascending by height; no scope is as deep as the layers that are left out. */
export function analysedLayers({
  layers,
  analyser,
}: Pick<SearchDocument, 'layers' | 'analyser'>): AnalysedLayer[] {
  return layers
    .filter(({ height }) => height <= limits.scopeDepthMax)
    .toSorted((a, z) => a.height - z.height)
    .map(({ height, text }) => ({ height, words: analyse(text, analyser) }))
}
