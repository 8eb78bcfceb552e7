/** Clock and randomness are handed in: where they may be touched, and the ways of touching them that a reader overlooks. */
import { nameOf, onImport, pathOf, roomOf } from './syntax.ts'
import type { CallLike, Context, ImportLike, Member, Named, Pattern } from './syntax.ts'

const clockFiles = new Set(['daemon/clock.ts', 'client/clock.ts'])
const randomFiles = /^((daemon|client)\/random\.ts|(protocol|daemon|client)\/crypto\/[^/]+\.ts)$/
/** A command makes no keys itself; it asks the time as the rest does. */
const clockRooms = new Set(['protocol', 'storage', 'daemon', 'client', 'cli'])
const randomRooms = new Set(['protocol', 'storage', 'daemon', 'client'])

/** Bare ones are refused by no-restricted-globals. */
const timers = ['setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame', 'requestIdleCallback']
const clockMembers: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  performance: ['now', 'timeOrigin'],
  process: ['hrtime', 'uptime'],
  AbortSignal: ['timeout'],
  globalThis: timers,
  window: timers,
  self: timers,
}
const cryptoMembers = ['getRandomValues', 'randomUUID', 'randomBytes', 'randomInt']
const randomMembers: Readonly<Record<string, readonly string[]>> = {
  Math: ['random'],
  crypto: cryptoMembers,
  webcrypto: cryptoMembers,
}
const randomImports = new Set([
  'default',
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'webcrypto',
])
/** What nobody here has a second name for, or a member whose name is made up as the program runs. */
const sources: Readonly<Record<string, 'clock' | 'random'>> = {
  Date: 'clock',
  performance: 'clock',
  globalThis: 'clock',
  Math: 'random',
}

export const ports = {
  create(context: Context) {
    const path = pathOf(context)
    const room = roomOf(path)
    const clockFree = clockRooms.has(room) && !clockFiles.has(path)
    const randomFree = randomRooms.has(room) && !randomFiles.test(path)
    const clock = (node: unknown, what: string): void => {
      if (clockFree) context.report({ node, message: `${what}: time comes from the Clock that is handed in` })
    }
    const random = (node: unknown, what: string): void => {
      if (randomFree)
        context.report({ node, message: `${what}: randomness comes from the Random that is handed in` })
    }
    const member = (node: unknown, object: string, property: string): void => {
      if (clockMembers[object]?.includes(property)) clock(node, `${object}.${property}`)
      if (randomMembers[object]?.includes(property)) random(node, `${object}.${property}`)
    }
    const hidden = (node: unknown, object: string, what: string): void => {
      const source = Object.hasOwn(sources, object) ? sources[object] : undefined
      if (source === 'clock') clock(node, what)
      if (source === 'random') random(node, what)
    }
    /** `const { now } = Date`, and `const D = Date`. */
    const given = (node: unknown, to: Pattern, from: Named | null | undefined): void => {
      const object = nameOf(from)
      if (to.type === 'Identifier') hidden(node, object, `another name for ${object}`)
      for (const { key, computed = false } of to.properties ?? []) {
        if (computed && key?.value === undefined) hidden(node, object, `a computed member of ${object}`)
        else if (key !== undefined) member(node, object, key.name ?? String(key.value))
      }
    }
    return {
      MemberExpression(node: Member) {
        const object = nameOf(node.object)
        if (node.computed && node.property.value === undefined)
          hidden(node, object, `a computed member of ${object}`)
        else member(node, object, node.property.name ?? String(node.property.value))
      },
      VariableDeclarator: (node: { readonly id: Pattern; readonly init: Named | null }) =>
        given(node, node.id, node.init),
      AssignmentExpression: (node: { readonly left: Pattern; readonly right: Named }) =>
        given(node, node.left, node.right),
      AssignmentPattern: (node: { readonly left: Pattern; readonly right: Named }) =>
        given(node, node.left, node.right),
      NewExpression(node: CallLike) {
        if (nameOf(node.callee) === 'Date' && node.arguments.length === 0) clock(node, 'new Date()')
      },
      CallExpression(node: CallLike) {
        // Whatever it is given, it answers with the time of now.
        if (nameOf(node.callee) === 'Date') clock(node, 'Date()')
      },
      ...onImport((node, name) => {
        if (/^(node:)?(timers(\/promises)?|perf_hooks)$/.test(name)) clock(node, name)
        if (/^(node:)?crypto$/.test(name)) for (const what of cryptoImports(node)) random(node, what)
      }),
    }
  },
}

/** What an import brings of randomness. As a whole, node:crypto brings it under a name that says nothing. */
function cryptoImports({ type, specifiers }: ImportLike): string[] {
  if (type === 'ImportExpression' || type === 'ExportAllDeclaration') return ['all of node:crypto']
  return (specifiers ?? []).flatMap(({ type: kind, imported, local }) => {
    if (kind === 'ImportNamespaceSpecifier' || kind === 'ImportDefaultSpecifier')
      return ['all of node:crypto']
    // An export names what it passes on `local`.
    const name = imported?.name ?? (kind === 'ExportSpecifier' ? local?.name : undefined)
    return name !== undefined && randomImports.has(name) ? [name] : []
  })
}
