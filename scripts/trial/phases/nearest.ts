import { setTimeout as sleep } from 'node:timers/promises'
import { httpTransport } from '../../../client/http.ts'
import { Identities } from '../../../client/identity/identities.ts'
import { Nearest } from '../../../client/nearest.ts'
import { fromHex, toHex } from '../../../protocol/bytes.ts'
import { Draw } from '../data/draw.ts'
import type { Phase, Trial } from '../trial.ts'

/** The home that is killed later: the client of this phase has to be near it to notice. */
export const doomed = 'munich'

/** On the way there and back, as if the members stood in other towns; a loopback is alike to all. */
const delaysMs = [40, 80, 120, 160] as const

/** A client that has nothing but a person's id and the address of some node finds the nearest member. */
export const nearest: Phase = {
  name: 'nearest',
  async run(trial: Trial) {
    const { processes, ledger, writer, figures, signal } = trial
    const home = processes.named(doomed)
    const person = new Draw(5).of(
      ledger.people.filter(
        ({ number }) =>
          ledger.members[number]?.includes(home.id) && ledger.entriesOf(number, 'posts').length > 0,
      ),
    ).number
    const members = ledger.members[person] ?? []
    // The doomed one is nearest, wherever it stands in the set.
    const byDistance = [home.id, ...members.filter((id) => id !== home.id)]
    const delayOf = new Map(byDistance.map((id, i) => [id, delaysMs[i] ?? 200]))
    const delayed = (url: string): typeof fetch => {
      const node = processes.nodes.find(({ http }) => http === url)
      const delayMs = delayOf.get(node?.id ?? '') ?? 20
      return async (input, init) => {
        await sleep(delayMs, undefined, { signal: init?.signal ?? signal })
        return fetch(input, init)
      }
    }
    const { crypto } = writer
    const reader = new Nearest({
      owner: fromHex(ledger.ids[person] ?? '', 32) as Uint8Array,
      bootstrap: [processes.named('world').http],
      dial: (url) => httpTransport({ address: url, fetch: delayed(url) }),
      identities: (transport) => new Identities(crypto, () => transport),
      crypto,
    })
    await reader.start({ signal })
    const chosen = reader.node === undefined ? '' : toHex(reader.node)
    figures.nearest = { chosenIsNearest: chosen === byDistance[0], movedMs: Number.NaN }
    trial.reader = { nearest: reader, person }
  },
}
