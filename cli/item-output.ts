/** Items for people and for programs. */
import type { Item } from '../client/item.ts'
import { toHex } from '../protocol/bytes.ts'
import { itemToJson } from '../protocol/schema/json-value.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { ItemValue } from '../protocol/schema/value.ts'
import { safeText } from './output.ts'
import type { Output } from './output.ts'
import { counted, formatBytes } from './units.ts'

export function itemJson(schema: Schema, item: Item<unknown>): object {
  return {
    collection: item.collection,
    key: toHex(item.key),
    id: toHex(item.id),
    owner: toHex(item.owner),
    writtenMs: item.writtenMs,
    value: itemToJson(schema, item.collection, item.value as ItemValue),
    withheld: item.withheld,
  }
}

/** When, and what it says: texts as they are, everything else short. */
export function itemText(item: Item<unknown>, output: Output): string {
  const fields = Object.entries(item.value as ItemValue)
  const shown = fields.map(([name, value]) => `${output.dim(`${name}:`)} ${fieldText(value)}`).join('  ')
  const rest =
    item.withheld === 0 ? '' : output.dim(` (${counted(item.withheld, 'part')} that you cannot read)`)
  return `${output.dim(formatTime(item.writtenMs))}  ${shown}${rest}`
}

export function fieldText(value: unknown): string {
  if (typeof value === 'string') return safeText(value)
  if (value instanceof Uint8Array)
    return value.length === 32 ? toHex(value).slice(0, 12) : `<${formatBytes(value.length)}>`
  if (Array.isArray(value)) return value.map(fieldText).join(', ')
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, inner]) => `${safeText(name)}: ${fieldText(inner)}`)
      .join(', ')}}`
  return String(value)
}

/** In local time, to the minute. */
function formatTime(timeMs: number): string {
  const time = new Date(timeMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`
}
