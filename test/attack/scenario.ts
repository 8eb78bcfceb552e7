/** An attack that must fail, told in plain words. */
export interface Scenario {
  /** In kebab-case, for `--only`. */
  readonly name: string
  /** Who tries what. */
  readonly attack: string
  /** The rule that stops it. */
  readonly stoppedBy: string
  /** True for what takes long or weighs a figure: the command runs it, the tests do not. */
  readonly isLong?: boolean
  /** Rejects when the attack got through. What it answers is printed: a figure. */
  run(): Promise<string | void>
}

/** This machine does not let it be tried: nothing that could be mended here. */
export class Untried extends Error {}

/** What a busy machine keeps from beginning says nothing of the node; where all has to be tried it is a fault all the same. */
export function notBegun(message: string): Error {
  return process.env.CI === 'true' ? new Error(message) : new Untried(message)
}

/** The code with which an attempt was refused; `none` when it got through. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'none',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
}
