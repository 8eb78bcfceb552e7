/**
 * The rules of the house as an oxlint plugin: which room may import what, and where clock and randomness may be
 * touched. test/house/lint.test.ts plants a violation of each and expects it to be refused.
 */
import { dirname, relative, resolve, sep } from 'node:path'

interface Node {
  readonly type: string
}
interface Literal extends Node {
  readonly value?: unknown
}
interface Named extends Node {
  readonly name?: string
  readonly value?: unknown
}
interface ImportLike extends Node {
  readonly source?: Literal | null
  readonly argument?: { readonly literal?: Literal } & Literal
  readonly specifiers?: readonly { readonly imported?: Named }[]
}
interface Member extends Node {
  readonly object: Named & { readonly property?: Named }
  readonly property: Named
}
interface New extends Node {
  readonly callee: Named
  readonly arguments: readonly unknown[]
}
interface Context {
  readonly filename: string
  readonly cwd: string
  report(problem: { readonly node: unknown; readonly message: string }): void
}

/** Imports point one way: protocol <- storage <- daemon <- cli, protocol <- client <- cli. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  storage: ['protocol', 'storage'],
  daemon: ['protocol', 'storage', 'daemon'],
  client: ['protocol', 'client'],
  cli: ['protocol', 'client', 'cli'],
}

/** The only command that runs a node in its own process; the choice of the crypto provider; how the config is read. */
const mayImportDaemon = new Set(['cli/commands/start.ts', 'cli/config.ts', 'cli/crypto.ts'])

/** Rooms that run in browsers too. */
const portable = new Set(['protocol', 'client'])

/** What goes over the wire depends on these alone; a new one is a decision, not a convenience. */
const protocolLibraries =
  /^(@noble\/(curves|hashes)|@scure\/bip39|cborg|multiformats|stemmer|structured-headers|tweetnacl|valibot)(\/|$)/

const clockFiles = new Set(['daemon/clock.ts', 'client/clock.ts'])
const randomFiles = /^((daemon|client)\/random\.ts|(protocol|daemon|client)\/crypto\/[^/]+\.ts)$/
const handedIn = new Set(['protocol', 'storage', 'daemon', 'client'])

const timers = ['setTimeout', 'setInterval', 'setImmediate']
const clockMembers: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  performance: ['now', 'timeOrigin'],
  process: ['hrtime', 'uptime'],
  AbortSignal: ['timeout'],
  globalThis: timers,
  window: timers,
  self: timers,
}
const randomMembers: Readonly<Record<string, readonly string[]>> = {
  Math: ['random'],
  crypto: ['getRandomValues', 'randomUUID', 'randomBytes', 'randomInt'],
}
const randomImports = new Set([
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
])

function pathOf(context: Context): string {
  return relative(context.cwd, context.filename).split(sep).join('/')
}

function roomOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/** Calls `check` with every module name a file names: import, export from, import(), import('x').T. */
function onImport(check: (node: ImportLike, name: string) => void) {
  const visit = (node: ImportLike): void => {
    const name = node.source?.value ?? node.argument?.literal?.value ?? node.argument?.value
    if (typeof name === 'string') check(node, name)
  }
  return {
    ImportDeclaration: visit,
    ExportNamedDeclaration: visit,
    ExportAllDeclaration: visit,
    ImportExpression: visit,
    TSImportType: visit,
  }
}

const layering = {
  create(context: Context) {
    const path = pathOf(context)
    const room = roomOf(path)
    const allowed = mayImport[room]
    if (!allowed) return {}
    return onImport((node, name) => {
      if (!name.startsWith('.')) {
        if (name.startsWith('node:') && portable.has(room))
          context.report({ node, message: `${room} runs in browsers: it imports nothing of node: (${name})` })
        else if (room === 'protocol' && !protocolLibraries.test(name))
          context.report({ node, message: `${name} is not among the libraries of protocol` })
        return
      }
      const target = relative(context.cwd, resolve(dirname(context.filename), name))
        .split(sep)
        .join('/')
      const targetRoom = roomOf(target)
      if (allowed.includes(targetRoom) || (targetRoom === 'daemon' && mayImportDaemon.has(path))) return
      // The version is the one fact about the package that rooms may ask for.
      if (target === 'package.json' && !portable.has(room)) return
      context.report({
        node,
        message: `${path} imports ${target}; ${room} may import ${allowed.join(', ')}. Hand in what it needs.`,
      })
    })
  },
}

const ports = {
  create(context: Context) {
    const path = pathOf(context)
    if (!handedIn.has(roomOf(path))) return {}
    const clockFree = !clockFiles.has(path)
    const randomFree = !randomFiles.test(path)
    const clock = (node: unknown, what: string): void =>
      context.report({ node, message: `${what}: time comes from the Clock that is handed in` })
    const random = (node: unknown, what: string): void =>
      context.report({ node, message: `${what}: randomness comes from the Random that is handed in` })
    return {
      MemberExpression(node: Member) {
        const object = node.object.name ?? node.object.property?.name ?? ''
        const property = node.property.name ?? String(node.property.value)
        const what = `${object}.${property}`
        if (clockFree && clockMembers[object]?.includes(property)) clock(node, what)
        if (randomFree && randomMembers[object]?.includes(property)) random(node, what)
      },
      NewExpression(node: New) {
        if (clockFree && node.callee.name === 'Date' && node.arguments.length === 0) clock(node, 'new Date()')
      },
      ...onImport((node, name) => {
        if (clockFree && /^(node:)?timers(\/promises)?$/.test(name)) clock(node, name)
        if (clockFree && /^(node:)?perf_hooks$/.test(name)) clock(node, name)
        if (!randomFree || !/^(node:)?crypto$/.test(name)) return
        for (const { imported } of node.specifiers ?? [])
          if (imported?.name && randomImports.has(imported.name)) random(node, imported.name)
      }),
    }
  },
}

export default { meta: { name: 'house' }, rules: { layering, ports } }
