/** For api-operations.json: messages that are refused, and some that are read though written otherwise. */
import type { Form } from '../../protocol/api/fields.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { OperationName } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import * as good from './api-operations-good.ts'
import { zeros, type Wire } from './wire.ts'

export type Part = 'request' | 'reply' | 'event'

const { clock, device, goodMessages, id, nonce, owner, position, record, ref, seen, signature } = good

/** Of one part of one operation, in one form: what is given, and the path that its refusal names. */
export interface Refused {
  readonly operation: OperationName
  readonly part: Part
  readonly form: Form
  readonly cases: Readonly<Record<string, readonly [given: unknown, at: string]>>
}

const requests = (operation: OperationName, form: Form, cases: Refused['cases']): Refused => ({
  operation,
  part: 'request',
  form,
  cases,
})
const replies = (operation: OperationName, cases: Refused['cases']): Refused => ({
  operation,
  part: 'reply',
  form: 'cbor',
  cases,
})

const many = (count: number, item: unknown): unknown[] => Array.from({ length: count }, () => item)
/** A map with one field of so many bytes, or of one such entry in a list. */
const tooLong = (field: string, length: number, ...before: Uint8Array[]): Wire =>
  zeros(length, 'BAD_REQUEST', Uint8Array.of(0xa1), encode(field), ...before)

const hex = toHex(owner)
const item = { app: 'notes', collection: 'note' }
const get = { owner, ...item, keys: [id] }
const list = { owner, ...item }
const listJson = { owner: hex, ...item }
const before = (clockText: unknown): object => ({ ...listJson, before: { clock: clockText, id: hex } })
const waiting = { owner, ids: [id] }
const live = { of: 'list', owner, app: 'notes', name: 'note' }
const proof = { owner, device, nonce, expiresMs: 1, signature }
const info = goodMessages['node.info'].reply['a home in Lagos']
const page = { records: [record], asOf: clock, more: ref }
const stored = { outcome: 'stored', id, code: null, message: null }
const put = (result: object): object => ({ results: [stored, result], clockMs: 0 })
const status = goodMessages['admin.status'].reply['a busy node']
const pairing = goodMessages['admin.pair.cancel'].reply['closed']?.pairing
const token =
  goodMessages['token.list'].reply['one for a site, one for a program that was revoked, as was the device that granted it']?.tokens[0]
const replicaLost = { ...status?.hosted[0], replicas: [{ node: id, state: 'lost', lastSeenMs: null }] }

export const refusals: readonly Refused[] = [
  // ---- maps and bytes
  requests('identity.get', 'cbor', {
    'no map': [null, 'the message'],
    'a list': [[owner], 'the message'],
    bytes: [owner, 'the message'],
    'a field is missing': [{}, 'identity'],
    'an identity of 31 bytes': [{ identity: owner.subarray(1) }, 'identity'],
    'an identity of no bytes': [{ identity: new Uint8Array() }, 'identity'],
    'hex in CBOR': [{ identity: hex }, 'identity'],
    'null for an identity': [{ identity: null }, 'identity'],
  }),
  requests('identity.get', 'json', {
    'a list in JSON': [[hex], 'the message'],
    'text in JSON': [hex, 'the message'],
    'capital letters in hex': [{ identity: hex.toUpperCase() }, 'identity'],
    'half a byte in hex': [{ identity: hex.slice(1) }, 'identity'],
    'hex with its prefix': [{ identity: `0x${hex}` }, 'identity'],
    '33 bytes in hex': [{ identity: `${hex}00` }, 'identity'],
    'a list of numbers for bytes': [{ identity: [...owner] }, 'identity'],
  }),
  requests('identity.recover', 'cbor', {
    'no recovery key': [{}, 'recoveryKey'],
    'a recovery key of 33 bytes': [{ recoveryKey: new Uint8Array(33) }, 'recoveryKey'],
  }),
  requests('session.close', 'cbor', { 'a field where there are none': [{ token: id }, 'token'] }),
  requests('session.close', 'json', {
    'a field that objects inherit': [{ constructor: 1 }, 'constructor'],
    'a prototype': [JSON.parse('{"__proto__":{}}'), '__proto__'],
    'a field of 65 letters': [{ ['x'.repeat(65)]: 1 }, `${'x'.repeat(64)}…`],
  }),
  requests('token.grant', 'cbor', {
    'no grant': [{}, 'grant'],
    'a grant over its bound': [
      tooLong('grant', apiLimits.tokenGrantBytesMax + 129),
      'grant',
    ],
  }),
  requests('token.revoke', 'cbor', {
    'a token of nobody': [{ id }, 'owner'],
    'an id of 31 bytes': [{ owner, id: id.subarray(1) }, 'id'],
  }),
  requests('session.open', 'cbor', {
    'a signature of 63 bytes': [{ ...proof, signature: signature.subarray(1) }, 'signature'],
    'a missing signature': [{ owner, device, nonce, expiresMs: 1 }, 'signature'],
    'a nonce of 16 bytes': [{ ...proof, nonce: nonce.subarray(16) }, 'nonce'],
    'an expiry before 1970': [{ ...proof, expiresMs: -1 }, 'expiresMs'],
  }),
  requests('schema.put', 'cbor', {
    'a schema of a byte too many': [tooLong('schema', limits.schemaBytesMax + 1), 'schema'],
  }),
  requests('search.query', 'cbor', {
    'a query of a byte too many': [tooLong('query', apiLimits.searchQueryBytesMax + 1), 'query'],
  }),

  // ---- lists
  requests('record.put', 'cbor', {
    'null for a record': [{ records: [record, null] }, 'records[1]'],
    'a record without a list': [{ records: record }, 'records'],
    '257 records': [{ records: many(257, new Uint8Array()) }, 'records'],
    'a record of a byte too many': [
      tooLong('records', limits.recordBytesMax + 1, Uint8Array.of(0x81)),
      'records[0]',
    ],
  }),
  requests('record.get', 'cbor', {
    '257 keys': [{ ...get, keys: many(257, new Uint8Array()) }, 'keys'],
    'a key of 129 bytes': [{ ...get, keys: [id, new Uint8Array(129)] }, 'keys[1]'],
    '65 devices seen': [{ ...get, seen: many(65, { device, intervals: [] }) }, 'seen'],
    '257 intervals of one device': [
      { ...get, seen: [{ device, intervals: many(257, { first: 1, last: 1 }) }] },
      'seen[0].intervals',
    ],
    'an interval without an end': [
      { ...get, seen: [{ device, intervals: [{ first: 1 }] }] },
      'seen[0].intervals[0].last',
    ],
    'a pair for an interval': [{ ...get, seen: [{ device, intervals: [[1, 2]] }] }, 'seen[0].intervals[0]'],
  }),
  requests('placement.propose', 'cbor', { '129 shards': [{ owners: many(129, owner) }, 'owners'] }),
  requests('admin.host.add', 'cbor', {
    '257 people': [{ hosts: many(257, { log: record }) }, 'hosts'],
    'a misspelt field of one': [{ hosts: [{ log: record, qotaBytes: 1 }] }, 'hosts[0].qotaBytes'],
    'a quota below nothing': [{ hosts: [{ log: record, quotaBytes: -1 }] }, 'hosts[0].quotaBytes'],
  }),

  // ---- numbers, clocks, names
  requests('record.list', 'cbor', {
    'a misspelt field': [{ ...list, limt: 20 }, 'limt'],
    '201 records': [{ ...list, limit: 201 }, 'limit'],
    'fewer than no records': [{ ...list, limit: -1 }, 'limit'],
    'half a record': [{ ...list, limit: 0.5 }, 'limit'],
    'null for a limit left out': [{ ...list, limit: null }, 'limit'],
    'a place without an id': [{ ...list, before: { clock } }, 'before.id'],
    'a place without a clock': [{ ...list, after: { id } }, 'after.clock'],
    'a clock below zero': [{ ...list, before: { ...ref, clock: -1 } }, 'before.clock'],
    'a clock between two': [{ ...list, before: { ...ref, clock: 0.5 } }, 'before.clock'],
    'digits for a clock in CBOR': [{ ...list, before: { ...ref, clock: '7' } }, 'before.clock'],
    'no name of an app': [{ ...list, app: '' }, 'app'],
    'a name of 65 bytes': [{ ...list, app: 'a'.repeat(65) }, 'app'],
    'a name of 33 letters in 66 bytes': [{ ...list, collection: 'é'.repeat(33) }, 'collection'],
    'a name in bytes': [{ ...list, app: new Uint8Array(5) }, 'app'],
  }),
  requests('record.list', 'json', {
    'a limit in digits': [{ ...listJson, limit: '20' }, 'limit'],
    'a clock of 2^64': [before('18446744073709551616'), 'before.clock'],
    'a clock of 21 digits': [before('1'.repeat(21)), 'before.clock'],
    'a clock that begins with 0': [before('07'), 'before.clock'],
    'a clock in hex': [before('0x7'), 'before.clock'],
    'a clock with its sign': [before('+7'), 'before.clock'],
    'a clock with a line after it': [before('7\n'), 'before.clock'],
    'no digits for a clock': [before(''), 'before.clock'],
    'a number too wide to be exact': [before(2 ** 53), 'before.clock'],
  }),
  requests('record.status', 'cbor', {
    'a wait of a millisecond too many': [{ ...waiting, waitMs: 25_001 }, 'waitMs'],
    'seventeen copies': [{ ...waiting, copies: 17 }, 'copies'],
  }),
  requests('blob.get', 'cbor', {
    'more than a chunk at once': [{ owner, blob: id, offset: 0, length: 262_145 }, 'length'],
    'an offset beyond 2^53': [{ owner, blob: id, offset: 2n ** 53n, length: 1 }, 'offset'],
  }),
  requests('blob.stage', 'cbor', {
    'a chunk beyond the last': [{ owner, upload: id, index: 16_384, chunk: record }, 'index'],
    'an upload of 31 bytes': [{ owner, upload: id.subarray(1), index: 0, chunk: record }, 'upload'],
  }),
  requests('live.open', 'cbor', {
    'of nothing known': [{ ...live, of: 'table' }, 'of'],
    'of a number': [{ ...live, of: 0 }, 'of'],
    'a position without an epoch': [{ ...live, from: { source: id, position: 1 } }, 'from.epoch'],
    'a list for a position': [{ ...live, from: [id, 1, 1] }, 'from'],
  }),
  requests('admin.status', 'cbor', { 'more than 200 shown': [{ limit: 201 }, 'limit'] }),
  requests('admin.pair.open', 'cbor', { 'more than an hour': [{ lifetimeS: 3601 }, 'lifetimeS'] }),
  requests('admin.pair.show', 'cbor', { 'an unknown picture': [{ qr: 'png' }, 'qr'] }),
  requests('admin.pair.code', 'cbor', { 'seven digits': [{ code: '0123456' }, 'code'] }),
  requests('admin.pair.code', 'json', { 'a number for digits': [{ code: 123_456 }, 'code'] }),

  // ---- what nodes answer: they are not trusted either
  replies('node.info', {
    'nine addresses': [{ ...info, addresses: many(9, '') }, 'addresses'],
    'an address of 257 bytes': [{ ...info, addresses: ['a'.repeat(257)] }, 'addresses[0]'],
    'null for roles': [{ ...info, roles: null }, 'roles'],
  }),
  replies('identity.recover', {
    'nine that claim a key': [{ found: many(9, { log: Uint8Array.of(1), replicaSet: null }) }, 'found'],
    'a replica set left out': [{ found: [{ log: Uint8Array.of(1) }] }, 'found[0].replicaSet'],
  }),
  replies('identity.append', { 'fewer than none added': [{ added: -1 }, 'added'] }),
  replies('record.put', {
    'an unknown outcome': [put({ ...stored, outcome: 'lost' }), 'results[1].outcome'],
    'a result without a code': [put({ outcome: 'known', id, message: null }), 'results[1].code'],
    'an id of 31 bytes': [put({ ...stored, id: id.subarray(1) }), 'results[1].id'],
  }),
  replies('record.list', {
    '201 records': [{ ...page, records: many(201, new Uint8Array()) }, 'records'],
    'no clock': [{ records: [], more: null }, 'asOf'],
    'the rest left out': [{ records: [], asOf: 0 }, 'more'],
    'null for a record': [{ ...page, records: [null] }, 'records[0]'],
  }),
  replies('record.status', { 'seventeen copies': [{ copies: [17] }, 'copies[0]'] }),
  replies('view.get', {
    'a view that is not wrapped in bytes': [{ view: [], requestsBetweenNodes: 0 }, 'view'],
  }),
  replies('live.open', { 'no position': [{ position: null }, 'position'] }),
  {
    operation: 'live.open',
    part: 'event',
    form: 'cbor',
    cases: {
      'an unknown event': [{ type: 'gone', position, records: [] }, 'type'],
      '65 records': [{ type: 'records', position, records: many(65, record.subarray(19)) }, 'records'],
      'no position': [{ type: 'records', records: [] }, 'position'],
    },
  },
  replies('blob.put', { 'a number for a flag': [{ complete: 1 }, 'complete'] }),
  replies('blob.get', { 'no bytes': [{ size: 1, bytes: null }, 'bytes'] }),
  replies('replica-set.get', { 'of unknown source': [{ replicaSet: record, source: 'guess', heard: [], gone: [] }, 'source'] }),
  replies('placement.propose', {
    'seventeen leases': [
      { proposals: [{ owner, unsigned: record, leases: many(17, record) }] },
      'proposals[0].leases',
    ],
  }),
  replies('placement.commit', {
    'seventeen members': [
      { results: [{ hash: id, members: many(17, id), code: null, message: null }] },
      'results[0].members',
    ],
  }),
  replies('token.list', {
    'an access that nobody knows': [
      { tokens: [{ ...token, scopes: [{ collection: null, access: 'admin' }] }] },
      'tokens[0].scopes[0].access',
    ],
    'a label of no letters': [{ tokens: [{ ...token, label: '' }] }, 'tokens[0].label'],
  }),
  replies('session.open', { 'a token of 16 bytes': [{ token: id.subarray(16), lifetimeMs: 1 }, 'token'] }),
  replies('admin.status', {
    'a replica in an unknown state': [{ ...status, hosted: [replicaLost] }, 'hosted[0].replicas[0].state'],
    'a count below zero': [{ ...status, counters: { taken: -1 } }, 'counters.taken'],
    'counts in a list': [{ ...status, counters: [1] }, 'counters'],
    'a problem without help': [
      { ...status, problems: [{ code: 'INTERNAL', message: '', sinceMs: 0 }] },
      'problems[0].help',
    ],
  }),
  replies('admin.config', {
    'a setting from nowhere': [
      { settings: [{ path: 'state', value: '', source: 'guess' }] },
      'settings[0].source',
    ],
  }),
  replies('admin.pair.cancel', {
    'an unknown state': [{ pairing: { ...pairing, state: 'open' } }, 'pairing.state'],
    'an unknown role': [{ pairing: { ...pairing, role: 'node' } }, 'pairing.role'],
    'an app without its identity': [
      { pairing: { ...pairing, pending: { device, box: id } } },
      'pairing.pending.identity',
    ],
  }),
]

/** Read all the same: what is given means `json`. */
export const otherWays: readonly {
  readonly operation: OperationName
  readonly part: Part
  readonly form: Form
  readonly name: string
  readonly given: unknown
  readonly json: unknown
}[] = [
  {
    operation: 'record.list',
    part: 'request',
    form: 'json',
    name: 'a clock as a number, while it is exact',
    given: before(2 ** 53 - 1),
    json: before('9007199254740991'),
  },
  {
    operation: 'session.close',
    part: 'reply',
    form: 'cbor',
    name: 'a field of tomorrow',
    given: { closedMs: 7 },
    json: {},
  },
  {
    operation: 'blob.put',
    part: 'reply',
    form: 'json',
    name: 'a field of tomorrow, in JSON',
    given: { complete: false, next: 3 },
    json: { complete: false },
  },
  {
    operation: 'live.open',
    part: 'reply',
    form: 'cbor',
    name: 'a field of tomorrow further within',
    given: { position: { ...position, term: 1 } },
    json: { position: { source: toHex(position.source), epoch: 3, position: 41 } },
  },
  {
    operation: 'record.get',
    part: 'request',
    form: 'cbor',
    name: 'a field of tomorrow within what was seen',
    given: { ...get, keys: [], seen: [{ ...seen[0], intervals: [], label: 'Phone' }] },
    json: { ...listJson, keys: [], seen: [{ device: toHex(device), intervals: [] }] },
  },
]
