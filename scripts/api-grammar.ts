/**
 * Writes the part of protocol/README.md that gives the shape of every request, reply and event of the client API,
 * from the table that client and daemon take theirs from. `node scripts/api-grammar.ts` after a change of the table;
 * a test holds the two together.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type FieldShape, shapeOf } from '../protocol/api/field-shape.ts'
import type { Field } from '../protocol/api/fields.ts'
import * as messages from '../protocol/api/messages.ts'
import { operations } from '../protocol/api/operations.ts'

const readme = new URL('../protocol/README.md', import.meta.url)
const begin = '<!-- from protocol/api/operations.ts: node scripts/api-grammar.ts -->\n'
const end = '<!-- end -->\n'
const columns = 112

/** Pieces that are shown by name, in the order in which they are explained. */
const pieces = {
  ref: messages.ref,
  position: messages.position,
  seen: messages.seen,
  record: messages.record,
  log: messages.log,
  people: messages.people,
  document: messages.document,
  addresses: messages.addresses,
  hosted: messages.hosted,
  problem: messages.problem,
  pairing: messages.pairingStatus,
}
const named = new Map<Field<unknown>, string>(
  Object.entries<Field<unknown>>(pieces).map(([name, field]) => [field, name]),
)

/** The README with the part written anew. */
export function withGrammar(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error('protocol/README.md lacks the marks around the grammar')
  return `${text.slice(0, from + begin.length)}\`\`\`\n${grammar()}\`\`\`\n${text.slice(to)}`
}

function grammar(): string {
  const width = Math.max(...[...named.values()].map((name) => name.length))
  const explained = [...named].map(([field, name]) => wrap(`${name.padEnd(width)} = `, spell(shapeOf(field))))
  const told = Object.entries(operations).map(([name, operation]) => {
    const parts = [
      wrap('  request ', spell(shapeOf(operation.request))),
      wrap('  reply   ', spell(shapeOf(operation.reply))),
      ...('event' in operation ? [wrap('  event   ', spell(shapeOf(operation.event)))] : []),
    ]
    return `${name}  (${operation.rule})\n${parts.join('')}`
  })
  return `${explained.join('')}\n${told.join('')}`
}

function spellField(field: Field<unknown>): string {
  return named.get(field) ?? spell(shapeOf(field))
}

function spell(shape: FieldShape): string {
  switch (shape.kind) {
    case 'boolean':
      return 'bool'
    case 'uint':
      return shape.max === Number.MAX_SAFE_INTEGER ? 'uint' : `uint <= ${shape.max}`
    case 'text':
      return `text <= ${size(shape.bytesMax)}`
    case 'bytes':
      return shape.bytesMin === shape.bytesMax ? `b${shape.bytesMax}` : `bstr <= ${size(shape.bytesMax)}`
    case 'choice':
      return shape.choices.map((choice) => `"${choice}"`).join(' | ')
    case 'null-or':
      return `${spellField(shape.of)} | null`
    case 'optional':
      return spellField(shape.of)
    case 'list':
      return `[*${shape.max} ${spellField(shape.of)}]`
    case 'map':
      return `{${Object.entries(shape.members).map(spellMember).join(', ')}}`
    case 'tally':
      return `{*${shape.max} text: uint}`
    default:
      return shape.kind
  }
}

/** A member that is called as the piece that it holds is named once. */
function spellMember([name, field]: [string, Field<unknown>]): string {
  const shape = shapeOf(field)
  const value = spellField(field)
  const key = shape.kind === 'optional' ? `${name}?` : name
  const inner = shape.kind === 'optional' ? shape.of : field
  return named.get(inner) === name ? key : `${key}: ${value}`
}

function size(bytes: number): string {
  if (bytes < 1024 || bytes % 1024 !== 0) return String(bytes)
  return bytes === 1024 * 1024 ? '1 MiB' : `${bytes / 1024} KiB`
}

/**
 * Breaks behind commas and choices; what follows stands below the first member of its map. A map within a map that
 * does not fit the rest of the line begins a line, and so does what stands behind it.
 */
function wrap(head: string, text: string): string {
  const lines = [head]
  const open: { column: number; line: number }[] = []
  const breakLine = (): unknown => lines.push(' '.repeat(open.at(-1)?.column ?? head.length))
  let isBehindBroken = false
  for (let at = 0, next = 0; at < text.length; at = next) {
    const behindComma = /^.*?(?:, |$)/.exec(text.slice(at))?.[0] ?? ''
    const isLong = behindComma.length > columns - (open.at(-1)?.column ?? head.length)
    const part = isLong ? (/^.*?(?:, | \| |$)/.exec(behindComma)?.[0] ?? '') : behindComma
    next = at + part.length
    const line = lines.at(-1) as string
    const needed = part.includes('{') && open.length > 0 ? mapLength(text.slice(at)) : part.trimEnd().length
    if (at > 0 && (isBehindBroken || line.length + needed > columns)) breakLine()
    isBehindBroken = false
    for (const letter of part) {
      lines.push(`${lines.pop()}${letter}`)
      if (letter === '{') open.push({ column: lines.at(-1)?.length ?? 0, line: lines.length })
      if (letter === '}') isBehindBroken = open.pop()?.line !== lines.length
    }
  }
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

/** How long it is to the end of the first map in it. */
function mapLength(text: string): number {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}' && --depth === 0) return at + 1
  }
  return text.length
}

if (import.meta.main) writeFileSync(readme, withGrammar(readFileSync(readme, 'utf8')))
