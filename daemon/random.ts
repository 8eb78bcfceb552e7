import { randomBytes } from 'node:crypto'
import type { Random } from '../protocol/ports.ts'

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
