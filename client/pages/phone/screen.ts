import type { Phone } from './phone.ts'

/** One page of the app: draws itself into `root`, and stops what it started when the signal aborts. */
export interface Screen {
  readonly phone: Phone
  readonly root: HTMLElement
  readonly signal: AbortSignal
}
