/** What a revocation leaves out, in words. */
import type { Named } from '../client/revocation.ts'
import { counted, shortId } from './units.ts'

/** What is lost by it, in words; empty where nothing is, as far as this node can tell. */
export function sayUnnamed({ unheld, isCut }: Pick<Named, 'unheld' | 'isCut'>): string[] {
  return [
    ...(unheld.length === 0
      ? []
      : [
          `This node knows ${counted(unheld.length, 'group')} whose records it does not hold (${unheld.map(shortId).join(', ')}): what the device wrote there counts no more.`,
        ]),
    ...(isCut
      ? ['There are more groups than one revocation can name: in the others nothing of it counts.']
      : []),
  ]
}
