/** The figures by name, each with its formula, as the terminal and the page show them. */
import type { Beside, Measured } from './measure.ts'
import type { WriteRequests } from './write-requests.ts'
import { expectedWriteRequests } from './formulas.ts'

export interface Row {
  readonly name: string
  /** How one would expect it; empty where nothing is. */
  readonly formula: string
  /** By run, in their order. */
  readonly cells: readonly string[]
}

export function rowsOf(runs: readonly Measured[], writes: WriteRequests, copies: number): Row[] {
  const row = (name: string, formula: string, cell: (run: Measured) => string): Row => ({
    name,
    formula,
    cells: runs.map(cell),
  })
  return [
    row('shards watched', '', ({ watched }) => group(watched)),
    row('copies alive, mean', '(k+1)(1 − λT)', ({ copies }) => both(copies.alive, 2)),
    row('copies reachable, mean', '(k+1)a', ({ copies: { reachable } }) => both(reachable, 2)),
    row('time without a reachable copy', '(1 − a)^(k+1)', ({ copies: { unreachable } }) =>
      share(unreachable),
    ),
    row('shards ever below two copies', 'n · C(k+1,2)(λT)^(k−1) · 2λd', ({ belowTwo }) =>
      both(belowTwo, 2, 0),
    ),
    row('of these, as a new home sat down', '', ({ belowTwoAsSeated }) => group(belowTwoAsSeated)),
    row('shards lost', '', ({ lost }) => group(lost)),
    row('shards that cannot be mended at the end', '', ({ stuck }) => group(stuck)),
    row('copies made anew, a shard a year', '(k+1)(λ + r·L) + λ', ({ repair }) =>
      both(repair.fillsPerShardYear, 2),
    ),
    row('repair traffic, MB a node a day', 'the same, times B', ({ repair }) => both(repair.mbPerNodeDay, 3)),
    row('placement imbalance (deviation over mean)', '√(1/k + offers² + places²)', ({ placement }) =>
      placement.imbalance === null ? '·' : both(placement.imbalance, 3),
    ),
    row('pairs of seats in one failure domain', '0', ({ placement }) => `${placement.inOneDomain} (0)`),
    row('requests a write', 'k + k(k−1)', () => `${writes.requests} (${expectedWriteRequests(copies)})`),
    row('write at two nodes, ms, p50 / p95', '', ({ write }) => `${write.durableMs} / ${write.durableP95Ms}`),
    row('requests a lookup', '', ({ lookup }) => lookup.requests.toFixed(1)),
    row('hops of a lookup', '⌈log₂(N/20) / log₂ 40⌉', ({ lookup }) => both(lookup.hops, 2, 0)),
    row('lookup, ms, p50 / p95', '', ({ lookup }) => `${lookup.ms} / ${lookup.p95Ms}`),
    row('lookups that found it, %', '', ({ lookup }) => (lookup.found * 100).toFixed(1)),
  ]
}

export function textTable(rows: readonly Row[], heads: readonly string[]): string {
  const lines = [
    ['', ...heads, 'formula'],
    ...rows.map(({ name, cells, formula }) => [name, ...cells, formula]),
  ]
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((line) => (line[i] as string).length))) ?? []
  return lines
    .map((line) =>
      line
        .map((cell, i) =>
          i === 0 || i === line.length - 1
            ? cell.padEnd(widths[i] as number)
            : cell.padStart(widths[i] as number),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(rows: readonly Row[], heads: readonly string[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(['', ...heads, 'formula']),
    line(['---', ...heads.map(() => '---:'), '---']),
    ...rows.map(({ name, cells, formula }) => line([name, ...cells, formula])),
  ].join('\n')
}

export function headOf({ nodes }: Measured): string {
  return `${group(nodes)} nodes`
}

/** What was measured, and in brackets what the formula says. */
function both({ measured, formula }: Beside, digits: number, measuredDigits = digits): string {
  const isWhole = Number.isInteger(measured)
  const told = formula !== 0 && Math.abs(formula) < 0.005 ? formula.toExponential(0) : formula.toFixed(digits)
  return `${measured.toFixed(isWhole ? measuredDigits : digits)} (${told})`
}

function share({ measured, formula }: Beside): string {
  return `${(measured * 100).toFixed(4)} % (${(formula * 100).toFixed(4)} %)`
}

function group(value: number): string {
  return value.toLocaleString('en-US')
}
