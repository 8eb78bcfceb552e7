import type { Phase } from '../trial.ts'
import { copies } from './copies.ts'
import { dht } from './dht.ts'
import { disks } from './disks.ts'
import { island } from './island.ts'
import { kill } from './kill.ts'
import { load } from './load.ts'
import { nearest } from './nearest.ts'
import { pages } from './pages.ts'
import { partition } from './partition.ts'
import { ready } from './ready.ts'
import { search } from './search.ts'

/** In the order of events: what later ones break, earlier ones have measured. The disks come last, of all together. */
export const phases: readonly Phase[] = [
  ready,
  load,
  copies,
  dht,
  pages,
  search,
  nearest,
  kill,
  partition,
  island,
  disks,
]
