/** Who scans, guesses, stands in the middle or plays back, to be let in where a phone should be. */
import assert from 'node:assert/strict'
import { linkFromCode } from '../../client/identity/typed-code.ts'
import type { Transport } from '../../client/transport.ts'
import type { FrameStream } from '../../daemon/net/frame-stream.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { pairingProtocol } from '../../daemon/pairing/pairing.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import { commitment, pairingDigits, type PairingParties } from '../../protocol/pairing/exchange.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  pairingLink,
  parsePairingLink,
  startPhonePairing,
  type PairingMessage,
} from '../../protocol/pairing/index.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { scan } from '../support/pairing-phone.ts'
import { refusal, type Scenario } from './scenario.ts'

const keyStretching = { 'argon2id-custom': { iterations: 1, memory: 8, parallelism: 1 } }

type Phone = Awaited<ReturnType<typeof scan>>

/** A box whose person is about to pair a phone with it. */
export async function box() {
  const mesh = await createMesh(1)
  const home = mesh.nodes[0] as MeshNode
  const show = async () => (await mesh.wait(home.call('admin.pair.show', {}))).pairing
  return {
    ...{ mesh, home, show },
    at: { network: mesh.network, id: home.id },
    async open(): Promise<string> {
      const { pairing } = await mesh.wait(home.call('admin.pair.open', { lifetimeS: 60 }))
      return pairing.link as string
    },
    type: (code: string) => refusal(mesh.wait(home.call('admin.pair.code', { code }))),
    async digitsOf(phone: Phone): Promise<string> {
      await mesh.until(() => phone.state().state !== 'hello' && phone.state().state !== 'exchanging', 10_000)
      const now = phone.state()
      return now.state === 'code' ? now.digits : ''
    },
    async hosted(): Promise<number> {
      return (await home.store.documents.list('hosted')).length
    },
  }
}

/** As anybody on the network reaches the node. */
function wayTo(
  { wait }: Mesh,
  home: MeshNode,
  heard?: { push(passed: { name: string; asked: object; answered: object }): void },
): Pick<Transport, 'call'> {
  const call = async (name: 'pair.begin', asked: { readonly request: string }) => {
    const answered = await wait(home.call(name, asked, { kind: 'anyone' }))
    heard?.push({ name, asked, answered })
    return answered
  }
  return { call: call as unknown as Transport['call'] }
}

function another(digits: string): string {
  return digits === '123456' ? '123457' : '123456'
}

interface Talk {
  say(message: PairingMessage): Promise<void>
  hear(): Promise<PairingMessage>
}

function talk({ source, send }: FrameStream): Talk {
  const frames = source[Symbol.asyncIterator]()
  return {
    say: (message) => send(encodePairingMessage(message)),
    async hear() {
      const { value, done } = await frames.next()
      if (done === true) throw new Error('the other side has gone')
      return decodePairingMessage(value as Uint8Array)
    },
  }
}

/** In the middle: has photographed the node's QR, and pasted over it one of their own with the same secret. */
export async function impostor(mesh: Mesh, home: MeshNode, link: string) {
  const { crypto } = mesh
  const keys = deviceFromSeed(crypto, crypto.random(32))
  const place = mesh.network.join(toHex(keys.key))
  const { secret } = parsePairingLink(link)
  const ownLink = pairingLink('http://127.0.0.1/phone/', {
    ...{ node: keys.key, secret, lifetimeS: 60 },
    addresses: ['/ip4/127.0.0.1/tcp/1/ws'],
  })
  const callers: Talk[] = []
  place.serveStream(pairingProtocol, async (stream) => {
    callers.push(talk(stream))
    await new Promise((resolve) => stream.signal.addEventListener('abort', resolve))
  })
  const own = { device: keys.key, box: keys.boxKey }
  return {
    keys,
    ownLink,
    at: { network: mesh.network, id: place.rpc.self },
    /** As the phone, at the node: up to what the node commits to. */
    async toNode(
      shown: Pick<PairingParties, 'device' | 'box'> = own,
    ): Promise<{ node: Talk; digits: (theirs: Uint8Array, own: Uint8Array) => string }> {
      const stream = await mesh.wait(place.openStream(home.id, pairingProtocol, new AbortController().signal))
      const node = talk(stream)
      const parties: PairingParties = {
        ...{ node: fromHex(home.id) as Uint8Array, transport: keys.key, ...shown },
        ...{ role: 'owner', label: 'Ada' },
      }
      const { actions } = startPhonePairing(crypto, secret, parties, crypto.random(32))
      for (const action of actions) if (action.type === 'send') await node.say(action.message)
      assert.equal((await mesh.wait(node.hear())).type, 'commit')
      return { node, digits: (theirs, own) => pairingDigits(crypto, secret, theirs, own, parties) }
    },
    /** As the node, before the phone that scanned the wrong code. */
    async toPhone(): Promise<{ phone: Talk; parties: PairingParties; secret: Uint8Array }> {
      await mesh.until(() => callers.length > 0, 10_000)
      const phone = callers.shift() as Talk
      const hello = await mesh.wait(phone.hear())
      if (hello.type !== 'hello') throw new Error('a phone says hello first')
      const { device, box: boxKey, role, label } = hello
      // In this network a peer is its own transport key; the phone of the tests is peer 2.
      const transport = fromHex(memoryNodeId(2)) as Uint8Array
      return {
        phone,
        secret,
        parties: { node: keys.key, transport, device, box: boxKey, role, label },
      }
    },
  }
}

export async function revealed(mesh: Mesh, talking: Talk, type: 'nonce' | 'reveal'): Promise<Uint8Array> {
  const message = await mesh.wait(talking.hear())
  if (message.type !== type) throw new Error(`${type} expected, ${message.type} heard`)
  return message.nonce
}

export const pairingAttacks: readonly Scenario[] = [
  {
    name: 'scan-alone',
    attack: 'somebody photographs the QR, scans it first and waits; nobody types a code',
    stoppedBy: 'nothing is granted before the code was typed at the node; a second scan burns the QR',
    async run() {
      const { mesh, at, open, show, hosted, digitsOf } = await box()
      await using _ = mesh
      const link = await open()
      const thief = await mesh.wait(scan(at, link, 'owner'))
      assert.notEqual(await digitsOf(thief), '')
      thief.accept()
      await mesh.clock.advance(30_000)
      assert.equal(await hosted(), 0)
      assert.equal((await show()).state, 'code')
      const honest = await mesh.wait(scan(at, link, 'owner', 3))
      await mesh.until(() => honest.state().state === 'failed', 10_000)
      await mesh.until(() => thief.state().state === 'failed', 10_000)
      assert.equal((await show()).state, 'burnt')
      assert.equal(await hosted(), 0)
    },
  },
  {
    name: 'guessed-code',
    attack: 'a code is guessed for a scanned QR, then the right one is typed after all',
    stoppedBy: 'one wrong code burns the QR (PAIRING_BURNT): one guess in a million',
    async run() {
      const { mesh, at, open, type, hosted, digitsOf } = await box()
      await using _ = mesh
      const phone = await mesh.wait(scan(at, await open(), 'owner'))
      const digits = await digitsOf(phone)
      assert.equal(await type(another(digits)), 'PAIRING_BURNT')
      assert.notEqual(await type(digits), 'none')
      phone.accept()
      await mesh.clock.advance(5_000)
      assert.equal(await hosted(), 0)
    },
  },
  {
    name: 'three-guesses',
    attack: 'the node is made to show one QR after the other, and each time a code is guessed',
    stoppedBy:
      'three burnt within ten minutes lock pairing until somebody unlocks it at the node (PAIRING_LOCKED)',
    async run() {
      const { mesh, home, at, open, type, digitsOf } = await box()
      await using _ = mesh
      for (const [round, code] of ['PAIRING_BURNT', 'PAIRING_BURNT', 'PAIRING_LOCKED'].entries()) {
        const phone = await mesh.wait(scan(at, await open(), 'owner', round + 2))
        assert.equal(await type(another(await digitsOf(phone))), code)
      }
      assert.equal(await refusal(open()), 'PAIRING_LOCKED')
      await mesh.clock.advance(3_600_000)
      assert.equal(await refusal(open()), 'PAIRING_LOCKED')
      await mesh.wait(home.call('admin.pair.unlock', {}))
      assert.equal(await refusal(open()), 'none')
    },
  },
  {
    name: 'guessed-typed-code',
    attack: 'the eleven digits in place of the QR are guessed, three at once and one after the other',
    stoppedBy:
      'each beginning counts: three tries in 10^11 and the code is gone (PAIRING_BURNT); the QR stays good',
    async run() {
      const { mesh, home, open, show } = await box()
      await using _ = mesh
      const link = await open()
      const { typedCode } = await show()
      assert.ok(typedCode !== null)
      const ask = (typed: string) => linkFromCode(wayTo(mesh, home), typed, { crypto: mesh.crypto })
      const guesses = [1, 2, 3, 4].map((n) => String((Number(typedCode) + n) % 10 ** 11).padStart(11, '0'))
      for (const code of await Promise.all(guesses.map((guess) => refusal(ask(guess)))))
        assert.equal(code, 'PAIRING_BURNT')
      assert.equal(await refusal(ask(typedCode)), 'PAIRING_BURNT')
      const now = await show()
      assert.deepEqual([now.state, now.link, now.typedCode], ['waiting', link, null])
    },
  },
  {
    name: 'overheard-typed-code',
    attack:
      'all that passes while somebody types the right digits is kept, and tried against every code afterwards',
    stoppedBy:
      'a password-authenticated key exchange: what passes tells neither digits nor link (OPAQUE, RFC 9807)',
    async run() {
      const { mesh, home, open, show } = await box()
      await using _ = mesh
      const link = await open()
      const { typedCode } = await show()
      const heard: { readonly name: string; readonly asked: object; readonly answered: object }[] = []
      const found = await linkFromCode(wayTo(mesh, home, heard), typedCode ?? '', { crypto: mesh.crypto })
      assert.equal(found, link)
      const [begun, finished] = heard
      assert.deepEqual([heard.length, begun?.name, finished?.name], [2, 'pair.begin', 'pair.finish'])
      // Played back it is nothing: the exchange is over, and another one has other keys.
      const again = wayTo(mesh, home)
      assert.equal(await refusal(again.call('pair.finish', finished?.asked as never)), 'PAIRING_BURNT')
      assert.equal(await refusal(again.call('pair.begin', begun?.asked as never)), 'PAIRING_BURNT')
      await open()
      assert.equal(await refusal(again.call('pair.finish', finished?.asked as never)), 'PAIRING_BURNT')
      // Whoever tries the digits against what passed finds no difference between the right ones and others.
      const { client } = await import('@serenity-kit/opaque')
      const { response: loginResponse } = (begun as { readonly answered: object }).answered as {
        readonly response: string
      }
      for (const password of [typedCode ?? '', '00000000000']) {
        const { clientLoginState } = client.startLogin({ password })
        assert.equal(
          client.finishLogin({ clientLoginState, loginResponse, password, keyStretching }),
          undefined,
        )
      }
      assert.ok(!JSON.stringify(heard).includes(typedCode ?? ''))
    },
  },
  {
    name: 'swapped-qr',
    attack:
      'a QR of the attacker hangs over the node’s; in the middle they relay, and say "confirmed" themselves',
    stoppedBy: 'the digits depend on both keys: those of the phone are wrong at the node, which burns its QR',
    async run() {
      const { mesh, home, open, type, hosted, digitsOf } = await box()
      await using _ = mesh
      const { crypto } = mesh
      const mallory = await impostor(mesh, home, await open())
      const victim = await mesh.wait(scan(mallory.at, mallory.ownLink, 'owner'))
      const { node } = await mallory.toNode()
      const { phone, parties } = await mallory.toPhone()
      const own = crypto.random(32)
      await phone.say({ type: 'commit', commitment: commitment(crypto, own, parties) })
      const nonce = await revealed(mesh, phone, 'nonce')
      await node.say({ type: 'nonce', nonce })
      await revealed(mesh, node, 'reveal')
      await phone.say({ type: 'reveal', nonce: own })
      const digits = await digitsOf(victim)
      await phone.say({ type: 'confirmed', box: mallory.keys.boxKey })
      await mesh.clock.advance(5_000)
      // The phone waits for its person, who types what it shows at the real node.
      assert.equal(victim.state().state, 'code')
      assert.equal(await type(digits), 'PAIRING_BURNT')
      assert.equal(await hosted(), 0)
    },
  },
  {
    name: 'ground-node-nonce',
    attack: 'in the middle, they try nonces until the phone would show the digits that the real node awaits',
    stoppedBy: 'the commitment before the nonce: the phone refuses another nonce, and shows no digits',
    async run() {
      const { mesh, home, open, digitsOf } = await box()
      await using _ = mesh
      const { crypto } = mesh
      const mallory = await impostor(mesh, home, await open())
      const victim = await mesh.wait(scan(mallory.at, mallory.ownLink, 'owner'))
      const { node, digits } = await mallory.toNode()
      const sent = crypto.random(32)
      await node.say({ type: 'nonce', nonce: sent })
      const awaited = digits(await revealed(mesh, node, 'reveal'), sent)
      const { phone, parties, secret } = await mallory.toPhone()
      await phone.say({ type: 'commit', commitment: commitment(crypto, crypto.random(32), parties) })
      const nonce = await revealed(mesh, phone, 'nonce')
      // Two digits instead of six are as good to see it by, and cost a hundred tries.
      let ground = crypto.random(32)
      while (!pairingDigits(crypto, secret, ground, nonce, parties).endsWith(awaited.slice(-2)))
        ground = crypto.random(32)
      await phone.say({ type: 'reveal', nonce: ground })
      assert.equal(await digitsOf(victim), '')
      assert.equal(victim.state().state, 'failed')
    },
  },
  {
    name: 'ground-phone-nonce',
    attack: 'in the middle, they send the node a second nonce once they have seen its own',
    stoppedBy: 'the node reveals its nonce after the other’s is fixed; a message out of turn burns the QR',
    async run() {
      const { mesh, home, open, show } = await box()
      await using _ = mesh
      const { crypto } = mesh
      const mallory = await impostor(mesh, home, await open())
      const { node } = await mallory.toNode()
      await node.say({ type: 'nonce', nonce: crypto.random(32) })
      await revealed(mesh, node, 'reveal')
      await node.say({ type: 'nonce', nonce: crypto.random(32) })
      assert.equal((await mesh.wait(node.hear())).type, 'failed')
      assert.equal((await show()).state, 'burnt')
    },
  },
  {
    name: 'replayed-pairing',
    attack:
      'what a phone said is played back in a connection of the attacker’s own, before and after it paired',
    stoppedBy: 'the hello proves the secret for the key of its connection (FORBIDDEN), and burns nothing',
    async run() {
      const { mesh, home, at, open, type, show, digitsOf } = await box()
      await using _ = mesh
      const link = await open()
      const said = helloOf(mesh, home, link, fromHex(memoryNodeId(2)) as Uint8Array)
      const thief = mesh.network.join(memoryNodeId(9))
      const replay = async (): Promise<PairingMessage> => {
        const { signal } = new AbortController()
        const node = talk(await mesh.wait(thief.openStream(home.id, pairingProtocol, signal)))
        await node.say(said)
        return mesh.wait(node.hear())
      }
      const answer = await replay()
      assert.equal(answer.type === 'failed' && answer.code, 'FORBIDDEN')
      assert.equal((await show()).state, 'waiting')
      const phone = await mesh.wait(scan(at, link, 'owner'))
      assert.equal(await type(await digitsOf(phone)), 'none')
      phone.accept()
      await mesh.until(() => phone.state().state === 'paired', 10_000)
      const late = await replay()
      assert.equal(late.type === 'failed' && late.code, 'PAIRING_BURNT')
    },
  },
  {
    name: 'clocks-apart',
    attack: 'none: the clocks of phone and node are ten minutes apart; they must pair all the same',
    stoppedBy: 'lifetimes are durations on the node’s monotonic clock; no time travels',
    async run() {
      for (const skewMs of [600_000, -600_000]) {
        const { mesh, at, open, type, hosted, digitsOf } = await box()
        await using _ = mesh
        mesh.skew(0, skewMs)
        const phone = await mesh.wait(scan(at, await open(), 'owner'))
        assert.equal(await type(await digitsOf(phone)), 'none')
        phone.accept()
        await mesh.until(() => phone.state().state === 'paired', 10_000)
        assert.equal(await hosted(), 1)
      }
    },
  },
]

/** What a phone that scanned the link says first, in a connection under this key. */
function helloOf({ crypto }: Mesh, home: MeshNode, link: string, transport: Uint8Array): PairingMessage {
  const keys = deviceFromSeed(crypto, crypto.random(32))
  const parties: PairingParties = {
    ...{ node: fromHex(home.id) as Uint8Array, transport, device: keys.key, box: keys.boxKey },
    ...{ role: 'owner', label: 'Ada' },
  }
  const { actions } = startPhonePairing(crypto, parsePairingLink(link).secret, parties, crypto.random(32))
  const [hello] = actions
  if (hello?.type !== 'send') throw new Error('a phone says hello first')
  return hello.message
}
