import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { OnehopError } from '../protocol/errors.ts'
import { describeSetting } from './config-problem.ts'
import {
  addressRange,
  hostName,
  listenHost,
  milliseconds,
  nodeId,
  siteOrigin,
  port,
  scopePath,
} from './config-values.ts'

/**
 * Everything that can be set, with its default. Read in layers: defaults < file < environment < flags, then
 * checked once; after that it is a plain frozen value.
 */
const ConfigSchema = v.strictObject({
  /** Folder of keys and store. Mode 0700. */
  state: v.pipe(v.string(), v.minLength(1)),
  name: v.pipe(v.string(), v.maxLength(64)),
  /** Where the box stands; decides which neighbours are near and which aggregator is asked. */
  region: scopePath,
  /** Who runs it. Copies never share an operator. Its own node id when empty. */
  operator: v.pipe(v.string(), v.maxLength(64)),
  store: v.picklist(['level', 'memory']),
  listen: v.strictObject({
    /** Address that all three listeners bind. */
    host: listenHost,
    tcp: port,
    websocket: port,
    http: port,
  }),
  network: v.strictObject({
    /** Multiaddrs of nodes to dial first. */
    bootstrap: v.array(v.string()),
    mdns: v.boolean(),
    /** CIDR ranges outside the public internet that may be dialled. */
    allowDial: v.array(addressRange),
    /** Multiaddrs to publish in place of those listened on. */
    announce: v.array(v.string()),
    providesPerS: v.pipe(v.number(), v.minValue(0.01), v.maxValue(1000)),
    inboundConnectionsPerS: v.pipe(v.number(), v.integer(), v.minValue(1)),
    /** Lends its line: nodes that cannot be dialled are reached through it. */
    relay: v.boolean(),
    /** Multiaddrs of nodes through which this one is reached where it cannot be dialled. */
    relays: v.array(v.string()),
  }),
  http: v.strictObject({
    /** Host names, beside own addresses and localhost, under which the pages may be opened. */
    hosts: v.array(hostName),
    /** Origins of other sites whose pages may call the API. None by default. */
    origins: v.array(siteOrigin),
  }),
  hosting: v.pipe(
    v.strictObject({
      /** How many neighbours hold a copy beside the home. */
      copies: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(15)),
      /** Who may leave shards here: nobody, anyone, or these nodes. */
      offerTo: v.union([v.picklist(['nobody', 'anyone']), v.array(nodeId)]),
      offerBytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
      /** The most that one shard may have here: of somebody who lives here and was given no other quota, and of others. */
      leaseBytes: v.pipe(v.number(), v.integer(), v.minValue(1)),
      /** What others are asked for at first; twice as much whenever half is in use. */
      firstLeaseBytes: v.pipe(v.number(), v.integer(), v.minValue(1)),
      leaseMs: milliseconds,
      /** What may be written in a day into a shard that is kept for others, once its lease was filled. */
      leaseBytesPerDay: v.pipe(v.number(), v.integer(), v.minValue(1)),
      heartbeatMs: milliseconds,
      /** Away for this long: no reads go there. */
      suspectAfterMs: milliseconds,
      /** Away for this long: a standby takes its seat. */
      replaceAfterMs: milliseconds,
      reconcileEveryMs: milliseconds,
      /** Each other holder proves so often that it has one shard, which is drawn. */
      auditEveryMs: milliseconds,
    }),
    v.forward(
      v.check(
        ({ heartbeatMs, suspectAfterMs }) => heartbeatMs < suspectAfterMs,
        'longer than hosting.heartbeatMs, or everybody is away between two heartbeats',
      ),
      ['suspectAfterMs'],
    ),
    v.forward(
      v.check(
        ({ suspectAfterMs, replaceAfterMs }) => suspectAfterMs <= replaceAfterMs,
        'at least hosting.suspectAfterMs: nobody is replaced to whom reads still go',
      ),
      ['replaceAfterMs'],
    ),
  ),
  /** Scopes that this node indexes; `*` means every app. */
  aggregate: v.array(v.strictObject({ app: v.string(), scope: scopePath })),
  search: v.strictObject({
    /** How often leaves look for a nearer aggregator. */
    registerEveryMs: milliseconds,
    /** Changes wait this long so that one message carries many. */
    batchMs: milliseconds,
    /** An aggregator's index: words of the texts that came last, in memory until they go to the disk together. */
    memoryWords: v.pipe(v.number(), v.integer(), v.minValue(1)),
    /** And what was read of it lately. */
    cacheBytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
  }),
  log: v.picklist(['debug', 'info', 'warn', 'error', 'silent']),
})

export type Config = v.InferOutput<typeof ConfigSchema>

export function defaultConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const stateHome = environment.XDG_STATE_HOME || join(homedir(), '.local', 'state')
  return {
    state: join(stateHome, 'onehop'),
    name: '',
    region: '/geo',
    operator: '',
    store: 'level',
    listen: { host: '0.0.0.0', tcp: 4181, websocket: 4182, http: 4180 },
    network: {
      bootstrap: [],
      mdns: true,
      allowDial: [],
      announce: [],
      providesPerS: 2,
      inboundConnectionsPerS: 50,
      relay: false,
      relays: [],
    },
    http: { hosts: [], origins: [] },
    hosting: {
      copies: 3,
      offerTo: 'nobody',
      offerBytes: 10 * 2 ** 30,
      leaseBytes: 4 * 2 ** 30,
      firstLeaseBytes: 64 * 2 ** 20,
      leaseMs: 30 * 86_400_000,
      leaseBytesPerDay: 256 * 2 ** 20,
      heartbeatMs: 20_000,
      suspectAfterMs: 3_600_000,
      replaceAfterMs: 72 * 3_600_000,
      reconcileEveryMs: 3_600_000,
      auditEveryMs: 6 * 3_600_000,
    },
    aggregate: [],
    search: { registerEveryMs: 60_000, batchMs: 50, memoryWords: 200_000, cacheBytes: 64 * 2 ** 20 },
    log: 'info',
  }
}

export interface ConfigSources {
  /** JSON file; its absence is an error only when it was named, here or in ONEHOP_CONFIG. */
  readonly file?: string
  readonly environment?: NodeJS.ProcessEnv
  /** `listen.http=0` style settings from the command line. */
  readonly flags?: readonly string[]
}

/** Where the config file is looked for when no flag names one. */
export function configFile(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.ONEHOP_CONFIG) return environment.ONEHOP_CONFIG
  return join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'onehop', 'config.json')
}

/** One setting as `onehop config show` prints it. */
export interface Setting {
  readonly path: string
  /** As JSON. */
  readonly value: string
  readonly source: 'default' | 'file' | 'environment' | 'flag'
}

export function loadConfig(sources: ConfigSources = {}): Config {
  return readConfig(sources).config
}

/** Throws BAD_CONFIG naming the setting, the layer it came from and what is allowed. */
export function readConfig(sources: ConfigSources = {}): {
  readonly config: Config
  readonly settings: Setting[]
} {
  const environment = sources.environment ?? process.env
  const merged: Record<string, unknown> = structuredClone(defaultConfig(environment))
  const origin = new Map<string, string>()

  const file = sources.file ?? configFile(environment)
  const isNamed = sources.file !== undefined || Boolean(environment.ONEHOP_CONFIG)
  const fromFile = readJson(file, isNamed)
  if (fromFile !== undefined) overlay(merged, fromFile, `file ${file}`, origin)
  for (const [variable, text] of Object.entries(environment)) {
    // ONEHOP_SET_LISTEN__HTTP=4180 sets listen.http; variables without a match are somebody else's.
    if (!variable.startsWith('ONEHOP_SET_') || text === undefined) continue
    const path = variable.slice('ONEHOP_SET_'.length).split('__').map(camelCase)
    set(merged, path, parseValue(text), `environment ${variable}`, origin)
  }
  for (const flag of sources.flags ?? []) {
    const equals = flag.indexOf('=')
    if (equals < 1) throw new OnehopError('BAD_CONFIG', `--set ${flag}: write it as --set name=value`)
    set(
      merged,
      flag.slice(0, equals).split('.'),
      parseValue(flag.slice(equals + 1)),
      `flag --set ${flag}`,
      origin,
    )
  }

  const result = v.safeParse(ConfigSchema, merged)
  if (!result.success) {
    const issue = result.issues[0]
    const path = v.getDotPath(issue) ?? ''
    const source = [...origin].findLast(([key]) => path === key || path.startsWith(`${key}.`))?.[1]
    const known = settingsOf(defaultConfig(environment), new Map()).map((setting) => setting.path)
    const { setting, problem } = describeSetting(issue, path, known)
    throw new OnehopError(
      'BAD_CONFIG',
      `${setting}: ${problem}${source === undefined ? '' : ` (from ${source})`}`,
    )
  }
  const config = Object.freeze(result.output)
  return { config, settings: settingsOf(config, origin) }
}

function settingsOf(config: Config, origin: ReadonlyMap<string, string>): Setting[] {
  const settings: Setting[] = []
  const visit = (value: unknown, path: string): void => {
    if (isPlainObject(value)) {
      for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}.${key}`)
      return
    }
    const [layer = 'default'] = origin.get(path)?.split(' ') ?? []
    settings.push({ path, value: JSON.stringify(value), source: layer as Setting['source'] })
  }
  visit(config, '')
  return settings
}

function readJson(file: string, required: boolean): Record<string, unknown> | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if (!required && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new OnehopError('BAD_CONFIG', `cannot read config file ${file}: ${whyUnread(cause)}`, {
      cause,
      help: 'Name a file that this user may read: --config FILE, or the variable ONEHOP_CONFIG.',
    })
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>
    }
  } catch (cause) {
    throw new OnehopError('BAD_CONFIG', `config file ${file} is not JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
  throw new OnehopError('BAD_CONFIG', `config file ${file} must hold one JSON object`)
}

function whyUnread(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'this user may not read it'
  return code === 'EISDIR' ? 'it is a folder' : message
}

function overlay(
  target: Record<string, unknown>,
  layer: Record<string, unknown>,
  source: string,
  origin: Map<string, string>,
  prefix = '',
): void {
  for (const [key, value] of Object.entries(layer)) {
    const inner = Object.hasOwn(target, key) ? target[key] : undefined
    if (isPlainObject(inner) && isPlainObject(value))
      overlay(inner, value, source, origin, `${prefix}${key}.`)
    else {
      // defineProperty, so that a key named __proto__ is refused by the check as unknown and does nothing else.
      Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
      origin.set(`${prefix}${key}`, source)
    }
  }
}

function set(
  target: Record<string, unknown>,
  path: readonly string[],
  value: unknown,
  source: string,
  origin: Map<string, string>,
): void {
  const nested = path.toReversed().reduce<unknown>((inner, key) => ({ [key]: inner }), value)
  overlay(target, nested as Record<string, unknown>, source, origin)
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // a bare word is a string
  }
}

/** OFFER_TO -> offerTo */
function camelCase(words: string): string {
  return words.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
