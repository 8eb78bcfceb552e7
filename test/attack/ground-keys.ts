/** In the middle behind a swapped QR: keys are tried by the thousand, as nonces must not be, until the digits meet. */
import assert from 'node:assert/strict'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import { commitment, pairingDigits, type PairingParties } from '../../protocol/pairing/exchange.ts'
import {
  nodePairingStart,
  parsePairingLink,
  startPhonePairing,
  stepNodePairing,
  stepPhonePairing,
  type PairingMessage,
} from '../../protocol/pairing/index.ts'
import { scan } from '../support/pairing-phone.ts'
import { box, impostor, revealed } from './pairing.ts'
import type { Scenario } from './scenario.ts'

const tries = 20_000

/** Of all tries and of those whose keys were chosen: how often two of the digits met, how often all six. */
interface Tally {
  ground: number
  groundTwo: number
  two: number
  six: number
}

/**
 * What chance alone gives: one of a hundred meets in two digits, be its keys chosen or not; nothing in six. Bounds that one run
 * in a million oversteps.
 */
function assertChance({ ground, groundTwo, two, six }: Tally): string {
  assert.ok(ground > tries / 200, `${ground} keys were ground`)
  assert.ok(Math.abs(two - tries / 100) < 75, `two digits met ${two} times`)
  assert.ok(groundTwo <= 15, `of ${ground} chosen keys, ${groundTwo} met in two digits`)
  assert.ok(six <= 3, `six digits met ${six} times`)
  return `${tries} keys: ${two} met in two of six digits, ${six} in all; of ${ground} chosen ones ${groundTwo} in two`
}

/** Counts `digitsOf` every key against those that are wanted; `guessed` is what the attacker can reckon beforehand. */
function countTries(
  wanted: string,
  guessed: (n: number) => { readonly digits: string; readonly meet: () => string },
): Tally {
  const tally = { ground: 0, groundTwo: 0, two: 0, six: 0 }
  for (let n = 0; n < tries; n++) {
    const { digits, meet } = guessed(n)
    const isGround = digits.endsWith(wanted.slice(-2))
    const met = meet()
    const isTwo = met.endsWith(wanted.slice(-2))
    tally.ground += Number(isGround)
    tally.two += Number(isTwo)
    tally.groundTwo += Number(isGround && isTwo)
    tally.six += Number(met === wanted)
  }
  return tally
}

/** What a node awaits and reveals after this hello and this nonce, by the machine that nodes run. */
function nodeExchange(
  crypto: CryptoProvider,
  { secret, parties, nonce }: { secret: Uint8Array; parties: PairingParties; nonce: Uint8Array },
): { readonly digits: string; readonly nonce: Uint8Array } {
  const ports = {
    ...{ crypto, random: { bytes: crypto.random }, node: parties.node, box: parties.node },
    ...{ prove: () => new Uint8Array(64), hasPeople: true, nowMs: 1_000 },
  }
  let { pairing } = stepNodePairing(nodePairingStart, { type: 'open', secret, lifetimeMs: 60_000 }, ports)
  const answer = (message: PairingMessage): PairingMessage | undefined => {
    const event = { type: 'message', channel: 1, transport: parties.transport, message } as const
    const step = stepNodePairing(pairing, event, ports)
    pairing = step.pairing
    return step.actions.flatMap((action) => (action.type === 'send' ? [action.message] : []))[0]
  }
  const [hello] = startPhonePairing(crypto, secret, parties, nonce).actions
  assert.ok(hello?.type === 'send')
  assert.equal(answer(hello.message)?.type, 'commit')
  const reveal = answer({ type: 'nonce', nonce })
  assert.ok(reveal?.type === 'reveal' && pairing.phase.state === 'code')
  return { digits: pairing.phase.digits, nonce: reveal.nonce }
}

/** The digits that a phone shows which scanned a QR with these keys, by the machine that phones run. */
function digitsShown(
  crypto: CryptoProvider,
  { secret, parties, nonce }: { secret: Uint8Array; parties: PairingParties; nonce: Uint8Array },
): string {
  const ports = { crypto, prove: () => new Uint8Array(64) }
  let { pairing } = startPhonePairing(crypto, secret, parties, crypto.random(32))
  const messages: readonly PairingMessage[] = [
    { type: 'commit', commitment: commitment(crypto, nonce, parties) },
    { type: 'reveal', nonce },
  ]
  for (const message of messages)
    ({ pairing } = stepPhonePairing(pairing, { type: 'message', message }, ports))
  if (pairing.state !== 'code') throw new Error(`the phone is at ${pairing.state}`)
  return pairing.digits
}

export const groundKeyAttacks: readonly Scenario[] = [
  {
    name: 'swapped-qr-ground-keys',
    attack:
      'in the middle, they let the phone show its digits first, and then try phone’s keys by the thousand for which the node would await the same',
    stoppedBy:
      'the node draws its nonce after the hello that fixes the keys, and shows it after the last word of the other: one guess in a million',
    async run() {
      const { mesh, home, open, type, hosted, digitsOf } = await box()
      await using _ = mesh
      const { crypto } = mesh
      const link = await open()
      const mallory = await impostor(mesh, home, link)
      const victim = await mesh.wait(scan(mallory.at, mallory.ownLink, 'owner'))
      const { phone, parties: before, secret } = await mallory.toPhone()
      const own = crypto.random(32)
      await phone.say({ type: 'commit', commitment: commitment(crypto, own, before) })
      await revealed(mesh, phone, 'nonce')
      await phone.say({ type: 'reveal', nonce: own })
      const wanted = await digitsOf(victim)

      const nonce = crypto.random(32)
      const partiesOf = (shown: Pick<PairingParties, 'device' | 'box'>): PairingParties => ({
        ...{ node: fromHex(home.id) as Uint8Array, transport: mallory.keys.key, ...shown },
        ...{ role: 'owner', label: 'Ada' },
      })
      // The node's nonce of an exchange before: all that they have to reckon with.
      const { nonce: seen } = nodeExchange(crypto, { secret, parties: partiesOf(before), nonce })
      let best: Pick<PairingParties, 'device' | 'box'> | undefined
      const tally = countTries(wanted, () => {
        const shown = { device: crypto.random(32), box: crypto.random(32) }
        const parties = partiesOf(shown)
        const digits = pairingDigits(crypto, secret, seen, nonce, parties)
        if (digits.endsWith(wanted.slice(-2))) best = shown
        return { digits, meet: () => nodeExchange(crypto, { secret, parties, nonce }).digits }
      })
      const figure = assertChance(tally)

      // And at the real node, with the best that they found.
      const { node, digits } = await mallory.toNode(best)
      await node.say({ type: 'nonce', nonce })
      const awaited = digits(await revealed(mesh, node, 'reveal'), nonce)
      assert.notEqual(awaited, wanted)
      assert.equal(await type(wanted), 'PAIRING_BURNT')
      assert.equal(await hosted(), 0)
      return figure
    },
  },
  {
    name: 'swapped-qr-ground-node-keys',
    attack:
      'in the middle, they learn first what the node awaits, and then hang up the QR of whichever key would have a phone show the same',
    stoppedBy:
      'the phone draws its nonce anew, and tells it after the commitment: keys in a QR are fixed before; one guess in a million',
    async run() {
      const { mesh, home, open, type, hosted, digitsOf } = await box()
      await using _ = mesh
      const { crypto } = mesh
      const link = await open()
      const { secret } = parsePairingLink(link)
      const mallory = await impostor(mesh, home, link)
      const { node, digits } = await mallory.toNode()
      const sent = crypto.random(32)
      await node.say({ type: 'nonce', nonce: sent })
      const wanted = digits(await revealed(mesh, node, 'reveal'), sent)

      const phone = deviceFromSeed(crypto, crypto.random(32))
      // Even were it known which phone will come: only the nonce that it will draw is not.
      const known = {
        transport: phone.key,
        device: phone.key,
        box: phone.boxKey,
        role: 'owner',
        label: 'Ada',
      } as const
      const [seen, nonce] = [crypto.random(32), crypto.random(32)]
      const tally = countTries(wanted, () => {
        const parties = { node: crypto.random(32), ...known }
        const reckoned = pairingDigits(crypto, secret, nonce, seen, parties)
        return { digits: reckoned, meet: () => digitsShown(crypto, { secret, parties, nonce }) }
      })
      const figure = assertChance(tally)

      // And with the real phone, which scans what hangs there.
      const victim = await mesh.wait(scan(mallory.at, mallory.ownLink, 'owner'))
      const { phone: talking, parties } = await mallory.toPhone()
      await talking.say({ type: 'commit', commitment: commitment(crypto, nonce, parties) })
      await revealed(mesh, talking, 'nonce')
      await talking.say({ type: 'reveal', nonce })
      const shown = await digitsOf(victim)
      assert.notEqual(shown, wanted)
      assert.equal(await type(shown), 'PAIRING_BURNT')
      assert.equal(await hosted(), 0)
      return figure
    },
  },
]
