import { sha256 } from '@noble/hashes/sha2.js'
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import type { SchemaDocument } from './document.ts'

/**
 * The bytes that are stored, sent and hashed. Deterministic CBOR sorts the keys of maps, so that the order in
 * which an author happened to write them does not matter.
 */
export function schemaBytes(document: SchemaDocument): Uint8Array {
  return encode(document, { bytesMax: limits.schemaBytesMax })
}

/**
 * The name of a schema in every record. A schema is declared once, at the top of an app's module, where no
 * crypto provider is at hand; SHA-256 is the same everywhere, so the portable one will do.
 */
export function schemaHash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes)
}
