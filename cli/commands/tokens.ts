import { grantToken } from '../../client/app-tokens.ts'
import { microblog } from '../../client/microblog.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { checkTyped, requireKnown, type TypedGrant } from '../app-grant.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { columns, safeText } from '../output.ts'
import { requireIdentity } from '../owner.ts'
import { formatDuration, shortId } from '../units.ts'

type Token = ReplyOf<'token.list'>['tokens'][number]

/** `orphaned`: it ended with the device that granted it. `refused`: for another reason, as that its person has moved. */
type State = 'good' | 'revoked' | 'orphaned' | 'refused'

const inWords = {
  revoked: 'revoked',
  orphaned: 'over: the device that granted it is revoked',
  refused: 'over: its person, or the device that granted it, is not of this node',
} as const

const dayMs = 86_400_000
const daysDefault = 30
const daysMax = 90

export const tokens: Command = {
  name: 'tokens',
  summary: 'apps that people of this node let in, and what each may do',
  operands: [],
  options: {},
  examples: [['onehop tokens', 'with the id by which each is revoked']],
  async run({ context, output }) {
    const { signal } = context
    const { call } = await context.daemon()
    const { clockMs } = await call('node.info', {}, { signal })
    const { tokens: listed } = await call('token.list', {}, { signal })
    const found = listed.map((token) => ({ ...token, state: stateOf(token) }))
    if (output.json) for (const token of found) output.line(token)
    else if (found.length === 0) output.words('No app has a token of this node.')
    else
      output.data(
        columns(
          found.map((token) => [
            toHex(token.id).slice(0, 16),
            safeText(token.label),
            `${safeText(token.app)}: ${scopesOf(token)}`,
            safeText(token.origin ?? 'a program'),
            `of ${shortId(token.owner)}`,
            token.state === 'good'
              ? output.green(`for ${formatDuration(token.expiresMs - clockMs)}`)
              : output.red(inWords[token.state]),
          ]),
        ),
      )
    return exitCodes.ok
  },
}

export const tokensGrant: Command = {
  name: 'tokens grant',
  summary: 'let an app of somebody else read your data at this node',
  operands: ['LABEL'],
  options: {
    app: { type: 'string', value: 'APP', help: `whose data (${microblog.id})` },
    collection: { type: 'string', value: 'NAME', multiple: true, help: 'which of it; all when not given' },
    write: { type: 'boolean', help: 'upload files and schemas too; records need a device of their own' },
    origin: { type: 'string', value: 'URL', help: 'the site that may use it, as https://app.example' },
    days: { type: 'string', value: 'DAYS', help: `for how long (${daysDefault}, at most ${daysMax})` },
  },
  examples: [
    ['onehop tokens grant Reader --collection posts --origin https://reader.example', 'a web app'],
    ['onehop tokens grant backup --days 90', 'a program that reads everything of one app'],
  ],
  notes:
    'Prints the token, once. What is sealed stays sealed to it. It ends when its time is over, when you revoke it, and ' +
    'when the device that granted it is revoked.',
  async run(given) {
    const { flags, context, output } = given
    const days = flags.count('days') ?? daysDefault
    if (days < 1 || days > daysMax) throw new UsageError(`--days is 1 to ${daysMax}`)
    const typed: TypedGrant = {
      label: given.operands[0] ?? '',
      app: flags.text('app') ?? microblog.id,
      collections: flags.texts('collection'),
      origin: flags.text('origin'),
      access: flags.on('write') ? 'write' : 'read',
    }
    checkTyped(typed)
    const identity = await requireIdentity(context)
    const { call } = await context.daemon()
    const { label, app, collections, origin, access } = typed
    await requireKnown(given, { call }, identity.id, typed)
    const granted = await grantToken(
      { call },
      identity,
      {
        ...{ label, app, origin, lifetimeMs: days * dayMs },
        scopes: (collections.length > 0 ? collections : [undefined]).map((collection) => ({
          collection,
          access,
        })),
      },
      { crypto: await context.crypto(), signal: context.signal },
    )
    if (output.json) output.line(granted)
    else {
      output.data(toHex(granted.token))
      output.words(
        `Give this to the app; nobody can read it again. To end it: onehop tokens revoke ${toHex(granted.id).slice(0, 16)}`,
      )
    }
    return exitCodes.ok
  },
}

export const tokensRevoke: Command = {
  name: 'tokens revoke',
  summary: 'end the token of an app, at once',
  operands: ['ID'],
  options: {},
  examples: [['onehop tokens revoke 5f0c9a31', 'what it has read it has read; it reads no more']],
  notes: 'ID is as onehop tokens prints it, or its first digits (8 at least).',
  async run({ operands: [text = ''], context, output }) {
    const { signal } = context
    const { call } = await context.daemon()
    const { tokens: found } = await call('token.list', {}, { signal })
    const { owner, id } = findToken(text.toLowerCase(), found)
    const { revoked } = await call('token.revoke', { owner, id }, { signal })
    if (output.json) output.line({ id, revoked })
    else output.words(revoked ? `Revoked ${toHex(id)}.` : `${toHex(id)} was revoked before.`)
    return exitCodes.ok
  },
}

/** A node forgets no token whose device is gone: the device may come back, where its revocation is undone. */
function stateOf({ revokedMs, refused }: Token): State {
  if (revokedMs !== null) return 'revoked'
  if (refused === null) return 'good'
  return refused === 'REVOKED' ? 'orphaned' : 'refused'
}

const prefixMin = 8

function findToken(text: string, known: readonly Token[]): Token {
  const found = text.length >= prefixMin ? known.filter(({ id }) => toHex(id).startsWith(text)) : []
  const [first, ...more] = found
  if (first !== undefined && more.length === 0) return first
  throw new OnehopError(
    'NOT_FOUND',
    `${first === undefined ? 'no' : 'more than one'} token begins with ${text}`,
    {
      help: 'onehop tokens lists them.',
    },
  )
}

function scopesOf({ scopes }: Token): string {
  return scopes
    .map(
      ({ collection, access }) => `${access}s ${collection === null ? 'everything' : safeText(collection)}`,
    )
    .join(', ')
}
