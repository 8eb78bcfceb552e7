/** What a revocation leaves out, in words. */
import type { Named } from '../client/identity/written.ts'
import type { Unrenewed } from '../client/groups/group-epochs.ts'
import type { Unsigned } from '../client/identity/standing-sets.ts'
import { counted, shortId } from './units.ts'

export const leaveGroupsOption = {
  type: 'boolean',
  help: 'do it although some of your groups cannot be reached: what the device did there is lost',
} as const

/** What is lost by it, in words; empty where nothing is, as far as this node can tell. */
export function sayUnnamed({ unheld, isCut }: Pick<Named, 'unheld' | 'isCut'>): string[] {
  return [
    ...(unheld.length === 0
      ? []
      : [
          `What the device wrote in ${counted(unheld.length, 'group')} could not be asked for (${unheld.map(({ group }) => shortId(group)).join(', ')}): it counts no more.`,
        ]),
    ...(isCut
      ? ['There are more groups than one revocation can name: in the others nothing of it counts.']
      : []),
  ]
}

/** Groups for which the device still reads what is sealed, in words. */
export function sayUnrenewed(unrenewed: readonly Unrenewed[]): string[] {
  return unrenewed.map(({ group, error }) =>
    group === undefined
      ? `The node did not say which groups you are in: ${error.message}. Do the same again, so that the device reads nothing new of theirs.`
      : `What is sealed for group ${shortId(group)} that device can still open: ${error.message}. ${error.help ?? ''}`.trim(),
  )
}

/** Whose holders nobody finds any more who does not know them yet, in words. */
export function sayUnsigned(unsigned: readonly Unsigned[]): string[] {
  return unsigned.map(({ owner, error }) =>
    owner === undefined
      ? `The node did not say which groups you own: ${error.message}. Do the same again, so that newcomers go on finding them.`
      : `Which nodes hold the shard of ${shortId(owner)} was signed by that device alone, and could not be signed anew here: ${error.message}. Do the same again at the node where it lives.`,
  )
}
