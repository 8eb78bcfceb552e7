import { Draw } from '../data/draw.ts'
import { rounded } from '../figures.ts'
import { cut, heal } from '../cutting.ts'
import { converge } from '../model/equal.ts'
import { upload } from '../model/upload.ts'
import type { Phase, Trial } from '../trial.ts'

const apart = 'hamburg'
const writers = 40
const convergedWithinMs = 40_000

/** A home is cut off from everybody, written to on both sides by the same people, and let back. */
export const partition: Phase = {
  name: 'partition',
  async run(trial: Trial) {
    const { processes, ledger, writer, figures, signal } = trial
    const home = processes.named(apart)
    const others = processes.running.filter((node) => node !== home)
    const people = new Draw(11).some(
      ledger.people.filter(
        ({ number, home: at }) => at === home.plan.home && (ledger.members[number]?.length ?? 0) > 1,
      ),
      writers,
    )
    const numbers = people.map(({ number }) => number)
    await cut([home], others, signal)
    try {
      const post = (number: number, side: string) =>
        writer.write(number, 'posts', { title: `Written while apart, ${side}` }, Date.now())
      await upload(
        home,
        numbers.map((number) => post(number, 'at home')),
        ledger,
        signal,
      )
      for (const number of numbers) {
        // The same device reached another holder meanwhile: a phone that went out of the house.
        const member = others.find(({ id }) => ledger.members[number]?.includes(id) === true)
        if (member !== undefined) await upload(member, [post(number, 'elsewhere')], ledger, signal)
      }
    } finally {
      await heal(processes.running, signal)
    }
    const healedMs = performance.now()
    const recordsLost = await converge(trial, numbers, ['posts'], convergedWithinMs)
    figures.partition = { recordsLost, convergedS: rounded((performance.now() - healedMs) / 1000) }
  },
}
