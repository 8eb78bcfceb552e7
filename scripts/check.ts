/**
 * Format, types, lint (the rules of the house among them) and unused code. Every step runs, so that one look
 * shows all there is to mend; exits 1 when one fails.
 */
import { spawnSync } from 'node:child_process'

export interface CheckStep {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

const steps: readonly {
  readonly name: string
  readonly command: readonly string[]
  readonly mend?: string
}[] = [
  { name: 'format', command: ['node_modules/.bin/oxfmt', '--check', '.'], mend: 'npm run format' },
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '-p', '.', '--pretty', 'false'] },
  { name: 'lint', command: ['node_modules/oxlint/bin/oxlint', '--deny-warnings', '.'] },
  { name: 'unused', command: ['scripts/lint/knip.ts', '--no-config-hints'] },
]

/** Runs the steps in turn and tells `report` about each as it ends. */
export function check(report: (step: CheckStep) => void): readonly CheckStep[] {
  return steps.map(({ name, command, mend }) => {
    const startMs = performance.now()
    const result = spawnSync(process.execPath, command, {
      cwd: `${import.meta.dirname}/..`,
      encoding: 'utf8',
    })
    const ok = result.status === 0
    const hint = !ok && mend ? `\nTo mend it: ${mend}\n` : ''
    const output = ok ? '' : `${result.stdout}${result.stderr}${result.error?.message ?? ''}${hint}`
    const step = { name, ok, seconds: (performance.now() - startMs) / 1000, output }
    report(step)
    return step
  })
}

export function printStep(step: CheckStep): void {
  if (step.output) process.stdout.write(`${step.output.trimEnd()}\n`)
  process.stdout.write(
    `${step.ok ? 'ok    ' : 'FAILED'} ${step.name.padEnd(8)} ${step.seconds.toFixed(1)} s\n`,
  )
}

if (import.meta.main) process.exitCode = check(printStep).every((step) => step.ok) ? 0 : 1
