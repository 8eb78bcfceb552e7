/** Ben lives at Ada's node and has a good session there: every operation, asked about her. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { signAppGrant } from '../../protocol/api/app-token.ts'
import { operations, type OperationName, type UnaryName } from '../../protocol/api/operations.ts'
import { signSession } from '../../protocol/api/session.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { asOnehopError, type ErrorCode } from '../../protocol/errors.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { addDevice, deviceFromSeed, ownerAdmission, provePossession } from '../../protocol/identity/make.ts'
import {
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import { blindCollection } from '../../protocol/record/blind.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { encodeSearchQuery } from '../../protocol/search/query.ts'
import { socketClient } from '../support/api-client.ts'
import { openSession, testCrypto as crypto, type Caller } from '../support/api-node.ts'
import { openHouse, type House } from '../support/house.ts'

type Ask = (operation: UnaryName, request: object) => Promise<Record<string, unknown>>

let house: House
/** Ada's own, Ben's, and nobody's. */
let [asAda, asBen, asNobody]: Ask[] = []
/** Ada's: of her private collection its name and a note in it; a public post; a file; a token; her replica set. */
let notes: string
let note: Uint8Array
let post: Uint8Array
let blob: Uint8Array
let tokenId: Uint8Array
let unsigned: Uint8Array
const chunk = new Uint8Array(1_000).fill(3)
const manifest = encodeManifest({ size: chunk.length, chunks: [crypto.sha256(chunk)] })
const name = crypto.random(32)
let number = 0

const loose = (call: Caller): Ask => call as unknown as Ask
const app = microblog.id
const owner = (): Uint8Array => house.ada.owner

/** Of Ada's shard; by her, unless another key signs. */
function recordOf(changes: Partial<RecordDraft>, seed = house.ada.owning.seed): Uint8Array {
  const draft: RecordDraft = {
    ...{ owner: owner(), author: owner(), app, collection: 'posts', key: new Uint8Array(0), merge: 'append' },
    ...{ number: ++number, clock: clockOf(Date.now()), operation: 'put', schema: microblog.hash },
    ...{ expiresMs: undefined, sections: planSections(microblog, 'posts', { text: 'hello' }) },
  }
  return encodeRecord(signRecord(crypto, { ...draft, ...changes }, seed))
}

function noteOf(): Uint8Array {
  const sealing = { epoch: 1, key: crypto.random(32) }
  const section = { audience: 'private', heights: {}, fields: { text: 'for me alone' }, sealing } as const
  return recordOf({ collection: notes, key: crypto.random(32), merge: 'register', sections: [section] })
}

function grantOf(changes: object, seed: Uint8Array): Uint8Array {
  const grant = {
    ...{ node: house.node, id: crypto.random(32), identity: owner(), device: house.ada.owning.key, app },
    ...{ label: 'Reader', origin: undefined, scopes: [{ collection: undefined, access: 'read' as const }] },
    expiresMs: Date.now() + 3_600_000,
  }
  return signAppGrant(crypto, { ...grant, ...changes }, seed)
}

beforeAll(async () => {
  house = await openHouse()
  asAda = loose(await house.as(house.ada))
  asBen = loose(await house.as(house.ben))
  asNobody = loose(house.anyone)
  notes = blindCollection(crypto, crypto.random(32), app, 'notes')
  ;[note, post] = [noteOf(), recordOf({})]
  await asAda('record.put', { records: [note, post] })
  blob = crypto.sha256(manifest)
  await asAda('blob.begin', { owner: owner(), manifest })
  await asAda('blob.put', { owner: owner(), blob, index: 0, chunk })
  await asAda('blob.stage', { owner: owner(), upload: name, index: 0, chunk })
  tokenId = (await asAda('token.grant', { grant: grantOf({}, house.ada.owning.seed) })).id as Uint8Array
  const { proposals } = await asAda('placement.propose', { owners: [owner()], copies: 0 })
  unsigned = (proposals as { unsigned: Uint8Array }[])[0]?.unsigned as Uint8Array
  const set = packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, house.ada.owning.seed)])
  await asAda('placement.commit', { replicaSets: [set] })
})

afterAll(() => house[Symbol.asyncDispose]())

/** All that Ben must not change, as Ada sees it. */
async function hers(): Promise<unknown> {
  const ask = asAda as Ask
  const lists = ['posts', notes, 'profile', 'follows'].map(async (collection) => {
    const { records } = await ask('record.list', { owner: owner(), app, collection })
    return (records as Uint8Array[]).map(toHex)
  })
  const { tokens } = await ask('token.list', {})
  return {
    lists: await Promise.all(lists),
    tokens: (tokens as { id: Uint8Array; revokedMs: unknown }[]).map(({ id, revokedMs }) => [
      toHex(id),
      revokedMs,
    ]),
    file: await ask('blob.get', { owner: owner(), blob, offset: 0, length: chunk.length }),
    log: await ask('identity.get', { identity: owner() }),
    set: await ask('replica-set.get', { owner: owner() }),
    groups: await ask('identity.groups', { owner: owner() }),
  }
}

/**
 * What Ben hears: a refusal; what a stranger hears, byte for byte, which is what is public; or it does what it does for
 * him and about nobody else. A node's own moment (`drops`) is not compared.
 */
interface Row {
  readonly hears: ErrorCode | 'as a stranger' | 'for himself'
  readonly drops?: string
  request(): object | Promise<object>
}

const of = (more: object = {}) => ({ owner: owner(), ...more })
const item = (collection: string) => of({ app, collection })
const query = () => ({
  query: encodeSearchQuery({
    ...{ app, collection: undefined, scope: '/geo', text: 'hello', analyser: 'en', match: 'any', limit: 10 },
    ...{ hops: 0, explain: false, statistics: undefined },
  }),
})
const staged = () => of({ upload: name })

/** Every operation but those of the administrator; the table fails to compile when one is missing. */
const rows: Readonly<Record<Exclude<UnaryName, `admin.${string}`>, Row>> = {
  'node.info': { hears: 'as a stranger', drops: 'clockMs', request: () => ({}) },
  'identity.get': { hears: 'as a stranger', request: () => ({ identity: owner() }) },
  'identity.append': {
    hears: 'BAD_SIGNATURE',
    request() {
      const state = replay(crypto, decodeLog(crypto, house.ada.log))
      const key = deviceFromSeed(crypto, crypto.random(32))
      const possession = provePossession(crypto, state.id, key)
      // As if Ada had admitted it, by Ben's key.
      const by = { ...house.ben.owning, key: house.ada.owning.key }
      const entry = addDevice(crypto, state, by, ownerAdmission(key, false), possession)
      return { identity: owner(), log: encodeLog([...state.entries, entry]) }
    },
  },
  'identity.host': {
    hears: 'FORBIDDEN',
    request: () => ({ identity: owner(), log: house.ada.log, people: [] }),
  },
  'identity.groups': { hears: 'FORBIDDEN', request: () => of() },
  'identity.recover': { hears: 'as a stranger', request: () => ({ recoveryKey: owner() }) },
  'schema.put': { hears: 'for himself', request: () => ({ schema: microblog.bytes }) },
  'schema.get': { hears: 'as a stranger', request: () => ({ schema: microblog.hash }) },
  'record.put': {
    hears: 'FORBIDDEN',
    request: () => ({ records: [recordOf({}, house.ben.owning.seed)] }),
  },
  'record.get': {
    hears: 'as a stranger',
    request: () => ({ ...item(notes), keys: [decodeRecord(crypto, note).header.key] }),
  },
  'record.list': { hears: 'as a stranger', drops: 'asOf', request: () => item(notes) },
  'record.status': { hears: 'as a stranger', request: () => of({ ids: [decodeRecord(crypto, note).id] }) },
  'record.numbers': { hears: 'FORBIDDEN', request: () => of({ device: house.ada.owning.key }) },
  'record.shards': { hears: 'FORBIDDEN', request: () => of({ device: house.ada.owning.key }) },
  'view.get': { hears: 'as a stranger', request: () => of({ app, view: 'home' }) },
  'feed.list': { hears: 'FORBIDDEN', request: () => item('posts') },
  'follower.list': { hears: 'FORBIDDEN', request: () => of({ app }) },
  // Who asks is not told to those who answer; the moment of the answer stands within it.
  'search.query': { hears: 'for himself', request: query },
  'search.explain': { hears: 'for himself', request: query },
  'blob.begin': { hears: 'FORBIDDEN', request: () => of({ manifest }) },
  'blob.put': { hears: 'FORBIDDEN', request: () => of({ blob, index: 0, chunk }) },
  'blob.stage': { hears: 'FORBIDDEN', request: () => ({ ...staged(), index: 0, chunk: new Uint8Array(9) }) },
  'blob.commit': { hears: 'FORBIDDEN', request: () => ({ ...staged(), manifest }) },
  'blob.drop': { hears: 'FORBIDDEN', request: staged },
  'blob.manifest': { hears: 'as a stranger', request: () => of({ blob }) },
  'blob.get': { hears: 'as a stranger', request: () => of({ blob, offset: 0, length: 100 }) },
  'replica-set.get': { hears: 'as a stranger', request: () => of() },
  'placement.propose': { hears: 'FORBIDDEN', request: () => ({ owners: [owner()] }) },
  'placement.guests': { hears: 'FORBIDDEN', request: () => ({ owner: owner() }) },
  'placement.commit': {
    hears: 'FORBIDDEN',
    request() {
      const set = decodeReplicaSet(unsigned)
      const next = encodeReplicaSet({ ...set, epoch: set.epoch + 1, previous: crypto.random(32) })
      return { replicaSets: [packReplicaSet(next, [signReplicaSet(crypto, next, house.ben.owning.seed)])] }
    },
  },
  'session.challenge': {
    hears: 'for himself',
    request: () => of({ device: house.ada.owning.key }),
  },
  'session.open': {
    hears: 'BAD_SIGNATURE',
    async request() {
      const who = of({ device: house.ada.owning.key }) as { owner: Uint8Array; device: Uint8Array }
      const { node, nonce, expiresMs } = await house.anyone('session.challenge', who)
      const signature = signSession(crypto, { node, nonce, ...who, expiresMs }, house.ben.owning.seed)
      return { ...who, nonce, expiresMs, signature }
    },
  },
  'session.close': { hears: 'for himself', request: () => ({}) },
  // Signed by Ada indeed, for an app of hers: it is not Ben's to hand in, as the token would be told to him.
  'token.grant': { hears: 'FORBIDDEN', request: () => ({ grant: grantOf({}, house.ada.owning.seed) }) },
  'token.list': { hears: 'FORBIDDEN', request: () => of() },
  'token.revoke': { hears: 'FORBIDDEN', request: () => of({ id: tokenId }) },
  'pair.begin': { hears: 'as a stranger', request: () => ({ request: 'x' }) },
  'pair.finish': { hears: 'as a stranger', request: () => ({ attempt: 1, finish: 'x' }) },
}

const names = Object.keys(operations) as OperationName[]

test('the table is whole: what it leaves out is the administrator’s, and the live query below', () => {
  const left = names.filter((operation) => !Object.hasOwn(rows, operation))
  const ofAdmin = names.filter((operation) => operations[operation].rule === 'admin')
  expect(left.toSorted()).toEqual([...ofAdmin, 'live.open'].toSorted())
})

/** A reply, or the code of a refusal, be it of the call or of the one thing that was handed in. */
async function heard(
  ask: Ask,
  operation: UnaryName,
  request: object,
): Promise<string | Record<string, unknown>> {
  try {
    const reply = await ask(operation, request)
    const [result] = (reply.results ?? []) as { code: string | null }[]
    return result?.code ?? reply
  } catch (error) {
    return asOnehopError(error).code
  }
}

const without = (reply: string | Record<string, unknown>, field: string | undefined): string =>
  typeof reply === 'string'
    ? reply
    : toHex(encode({ ...reply, ...(field !== undefined && { [field]: null }) }))

test.each(Object.entries(rows) as [UnaryName, Row][])('%s', async (operation, row) => {
  const before = await hers()
  const request = await row.request()
  // One that it closes must not be the one that all others use.
  const session = operation === 'session.close' ? loose(await house.as(house.ben)) : (asBen as Ask)
  const answer = await heard(session, operation, request)
  if (row.hears === 'for himself') expect(typeof answer).toBe('object')
  else if (row.hears !== 'as a stranger') expect(answer).toBe(row.hears)
  else
    expect(without(answer, row.drops)).toBe(
      without(await heard(asNobody as Ask, operation, request), row.drops),
    )
  expect(await hers()).toEqual(before)
})

test.each(names.filter((operation) => operations[operation].rule === 'admin'))(
  '%s: for whoever runs the node',
  async (operation) => {
    const before = await hers()
    expect(await heard(asBen as Ask, operation as UnaryName, {})).toBe('FORBIDDEN')
    expect(await hers()).toEqual(before)
  },
)

test('what Ada sees is more than that: the table would notice', async () => {
  const list = async (ask: Ask | undefined): Promise<string[]> => {
    const { records } = await (ask as Ask)('record.list', item(notes))
    return (records as Uint8Array[]).map(toHex)
  }
  expect(await list(asAda)).toContain(toHex(note))
  expect(await list(asBen)).not.toContain(toHex(note))
})

test('live.open: no feed of hers, and of a list what a stranger sees', async () => {
  const tokens = [await openSession(house.anyone, house.ben.owning, house.ben.owner), undefined]
  const [ben, stranger] = await Promise.all(
    tokens.map((token) => socketClient(house.port, token === undefined ? {} : { token })),
  )
  const first = async (client: typeof ben, request: object) => {
    const { frames } = (client as NonNullable<typeof ben>).open('live.open', request)
    return { frames, frame: (await frames.next()).value }
  }
  const feed = of({ of: 'feed', app, name: 'posts' })
  expect((await first(ben, feed)).frame).toMatchObject({ kind: 'error', payload: { code: 'FORBIDDEN' } })
  const list = of({ of: 'list', app, name: notes })
  const [his, theirs] = [await first(ben, list), await first(stranger, list)]
  expect(his.frame).toMatchObject({ kind: 'reply' })
  const written = noteOf()
  await (asAda as Ask)('record.put', { records: [written] })
  const [event, other] = [(await his.frames.next()).value, (await theirs.frames.next()).value]
  expect(event?.payload).toEqual(other?.payload)
  expect(toHex(encode(event?.payload))).not.toContain(toHex(written))
  await ben?.[Symbol.asyncDispose]()
  await stranger?.[Symbol.asyncDispose]()
})
