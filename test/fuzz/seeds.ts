import { readdirSync, readFileSync } from 'node:fs'
import { fromHex } from '../../protocol/bytes.ts'
import { readVectors, type Spelled, unspell } from '../vectors/wire.ts'

/**
 * All bytes that a file of vectors holds, valid or not; of one kind where it is named. Files differ in shape: bytes
 * stand under the kind's name, or beside it as `bytes`, `hex` or `message`.
 */
export function seedsOf(file: string, kind?: string): Uint8Array[] {
  const found: Uint8Array[] = []
  const take = (value: unknown): void => {
    const bytes = spelled(value)
    if (bytes !== undefined) found.push(bytes)
  }
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk)
    if (typeof value !== 'object' || value === null) return kind === undefined ? take(value) : undefined
    const of = value as Record<string, unknown>
    if (kind === undefined && 'item' in of) return take(value)
    if (kind !== undefined && (of.kind === kind || (of.message === kind && of.kind === undefined))) {
      return take(of.bytes ?? of.hex ?? of.message)
    }
    for (const [name, inner] of Object.entries(of)) {
      if (name === kind) take(inner)
      else walk(inner)
    }
  }
  walk(readVectors(`${file}.json`))
  if (found.length === 0) throw new Error(`${file} holds nothing of the kind ${kind}`)
  return found
}

function spelled(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return value.length > 1 ? fromHex(value) : undefined
  const isSpelled = typeof value === 'object' && value !== null && 'item' in value
  return isSpelled ? unspell(value as Spelled) : undefined
}

/** JSON documents of a folder. */
export function documentsOf(folder: string): unknown[] {
  const at = new URL(`../vectors/${folder}/`, import.meta.url)
  return readdirSync(at).map((file) => JSON.parse(readFileSync(new URL(file, at), 'utf8')) as unknown)
}
