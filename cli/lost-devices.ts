/** Which of a person's other devices and nodes are gone: as the command line names them, or as the person answers. */
import type { Identity } from '../client/identity/identity.ts'
import { toHex } from '../protocol/bytes.ts'
import type { DeviceState } from '../protocol/identity/types.ts'
import type { Call } from './command.ts'
import { UsageError } from './failure.ts'
import { columns } from './output.ts'
import { withLines } from './question.ts'

const prefixMin = 8

/** Undefined when none was named: then the person is asked. */
export function pickLost(
  names: readonly string[],
  others: readonly DeviceState[],
  { state }: Pick<Identity, 'state'>,
): readonly DeviceState[] | undefined {
  if (names.length === 0) return undefined
  if (names.includes('all')) return others
  const isDone = (name: string): boolean =>
    name.length >= prefixMin &&
    [...state.devices].some(
      ([key, { revoked }]) => revoked !== undefined && key.startsWith(name.toLowerCase()),
    )
  return names
    .filter((name) => !isDone(name))
    .map((name) => {
      const found = others.filter(
        ({ key }) => name.length >= prefixMin && toHex(key).startsWith(name.toLowerCase()),
      )
      if (found[0] !== undefined && found.length === 1) return found[0]
      throw new UsageError(
        `--lost ${name}: ${found.length === 0 ? 'no other device or node' : 'more than one'} begins so`,
        `They are: ${others.map(({ key, role }) => `${toHex(key)} (${role})`).join(', ')}`,
      )
    })
}

export async function askLost(
  { context, output }: Call,
  others: readonly DeviceState[],
): Promise<readonly DeviceState[]> {
  if (output.json || others.length === 0) return []
  output.words('These are yours too. Shut out what is gone or stolen:')
  output.words(
    columns(
      others.map(({ key, role }, i) => [String(i + 1), toHex(key), role]),
      '  ',
    ),
  )
  if (!output.watched || context.stdin.isTTY !== true) {
    output.words('Nobody can be asked here: onehop recover --lost KEY, or --lost all.')
    return []
  }
  return withLines(context, async (ask) => {
    for (;;) {
      const typed = (await ask('Which are gone? Numbers, all, or none: ')).trim().toLowerCase()
      if (typed === 'none' || typed === '') return []
      if (typed === 'all') return others
      const picked = typed.split(/[\s,]+/).map((number) => others[Number(number) - 1])
      if (picked.every((one) => one !== undefined)) return picked
      output.words('Their numbers, please.')
    }
  })
}
