/**
 * The rules of the house as an oxlint plugin: which room may import what, and where clock and randomness may be
 * touched. test/house/lint.test.ts plants a violation of each and expects it to be refused.
 */
import { dirname, relative, resolve, sep } from 'node:path'
import { ports } from './ports.ts'
import { onImport, pathOf, roomOf } from './syntax.ts'
import type { Context } from './syntax.ts'

/** Imports point one way: protocol <- storage <- daemon <- cli, protocol <- client <- cli. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  storage: ['protocol', 'storage'],
  daemon: ['protocol', 'storage', 'daemon'],
  client: ['protocol', 'client'],
  cli: ['protocol', 'client', 'cli'],
}

/** The only command that runs a node in its own process; the choice of the crypto provider; how the config is read. */
const mayImportDaemon = new Set([
  'cli/commands/start.ts',
  'cli/commands/verify.ts',
  'cli/config.ts',
  'cli/crypto.ts',
])

/** Rooms that run in browsers too. */
const portable = new Set(['protocol', 'client'])

/** What goes over the wire depends on these alone; a new one is a decision, not a convenience. */
const protocolLibraries =
  /^(@noble\/(curves|hashes)|@scure\/bip39|cborg|multiformats|stemmer|structured-headers|tweetnacl|valibot)(\/|$)/

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

export default { meta: { name: 'house' }, rules: { layering, ports } }
