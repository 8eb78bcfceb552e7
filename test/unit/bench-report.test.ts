import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { report, type BenchReport, type BenchResult, type Judged } from '../../scripts/bench/result.ts'
import { runBench } from '../../scripts/bench/run.ts'

const told = (judged: BenchResult['judged'], rest: Partial<BenchResult> = {}): BenchReport =>
  report('sample', { judged, ...rest }, {})

describe('a report', () => {
  it.each<[string, Judged, boolean]>([
    ['as much as the share of the limit', { figure: 85, limit: 100, atLeast: 0.85 }, true],
    ['less than the share', { figure: 84, limit: 100, atLeast: 0.85 }, false],
    ['at most the share', { figure: 110, limit: 100, atMost: 1.1 }, true],
    ['more than the share', { figure: 111, limit: 100, atMost: 1.1 }, false],
    ['an absolute figure that is reached', { figure: 60, limit: 1000, atLeast: 50, absolute: true }, true],
    ['an absolute figure that is not', { figure: 40, limit: 1000, atLeast: 50, absolute: true }, false],
    ['an absolute figure that is kept', { figure: 0.1, limit: 7, atMost: 0.1, absolute: true }, true],
    ['an absolute figure that is passed', { figure: 0.11, limit: 7, atMost: 0.1, absolute: true }, false],
    ['no limit, within the target', { figure: 3, atMost: 3 }, true],
    ['no limit, beyond the target', { figure: 4, atMost: 3 }, false],
    ['less than the share by what rounding hides', { figure: 84.9999, limit: 100, atLeast: 0.85 }, false],
    ['no number', { figure: Number.NaN, limit: 100, atLeast: 0.85 }, false],
    ['no number to keep below', { figure: Number.NaN, atMost: 3 }, false],
    ['a limit that was not measured', { figure: 1, limit: Number.NaN, atMost: 3 }, false],
  ])('%s', (_name, judged, met) => expect(told({ figureMs: judged }).met).toBe(met))

  it('meets its targets when every figure does', () => {
    const [good, bad]: Judged[] = [
      { figure: 1, atMost: 2 },
      { figure: 3, atMost: 2 },
    ]
    expect(told({ a: good as Judged, b: good as Judged }).met).toBe(true)
    expect(told({ a: good as Judged, b: bad as Judged }).met).toBe(false)
    expect(told({ a: bad as Judged, b: good as Judged }).met).toBe(false)
  })

  it('keys ratio, target and sense as the figures that they judge, and no other', () => {
    const { figures, limit, ratio, target, sense } = told(
      {
        getPerS: { figure: 60_000, limit: 120_000, atLeast: 50_000, absolute: true },
        pageMs: { figure: 3, limit: 2, atMost: 1.6 },
        roundTrips: { figure: 2, atMost: 3 },
      },
      { figures: { records: 10_000.123, secondCore: 'not built' }, limit: { bareMs: 1 } },
    )
    const judged = ['getPerS', 'pageMs', 'roundTrips']
    for (const keys of [ratio, target, sense]) expect(Object.keys(keys)).toEqual(judged)
    expect(Object.keys(figures).toSorted()).toEqual([...judged, 'records', 'secondCore'].toSorted())
    expect(figures).toMatchObject({ getPerS: 60_000, records: 10_000, secondCore: 'not built' })
    expect(limit).toEqual({ getPerS: 120_000, pageMs: 2, roundTrips: 3, bareMs: 1 })
    expect(ratio).toEqual({ getPerS: 0.5, pageMs: 1.5, roundTrips: 0.6667 })
    expect(target).toEqual({ getPerS: 0.4167, pageMs: 1.6, roundTrips: 1 })
    expect(sense).toEqual({ getPerS: 'atLeast', pageMs: 'atMost', roundTrips: 'atMost' })
  })

  it.each<[string, Judged]>([
    ['none', { figure: 1 }],
    ['two', { figure: 1, atLeast: 1, atMost: 2 }],
  ])('needs one target, not %s', (_name, judged) => {
    expect(() => told({ pageMs: judged })).toThrow('pageMs')
  })
})

describe('running a bench', () => {
  const folders: string[] = []
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  /** What a bench of this source writes to stdout and says. */
  async function run(
    source: string,
    ...args: string[]
  ): Promise<{ code: number; out: string; said: string }> {
    const benches = await mkdtemp(join(tmpdir(), 'onehop-benches-'))
    folders.push(benches)
    await writeFile(join(benches, 'sample.ts'), source)
    let [out, said] = ['', '']
    const code = await runBench(args, {
      benches,
      out: (text) => (out += text),
      say: (line) => (said += `${line}\n`),
    })
    return { code, out, said }
  }
  const good = `export const bench = async ({ note }) => {
    note('half way')
    return { judged: { pageMs: { figure: 5, atMost: 3 } } }
  }`

  it('writes one JSON object to stdout, met or not, and all else elsewhere', async () => {
    const { code, out, said } = await run(good, 'sample', '--json')
    expect(code).toBe(0)
    expect(out.endsWith('}\n')).toBe(true)
    expect(out.trimEnd()).not.toContain('\n')
    expect(JSON.parse(out)).toMatchObject({ name: 'sample', figures: { pageMs: 5 }, met: false })
    expect(said).toContain('half way')
    expect(said).toContain('Not all targets met.')
  })

  it('writes nothing to stdout unless asked', async () => {
    expect(await run(good, 'sample')).toMatchObject({ code: 0, out: '' })
  })

  it('hands on an amount to a bench that takes one, and to no other', async () => {
    const sized = `export const takes = ['mb']
    export const bench = async ({ mb }) => ({ judged: { sizeMb: { figure: mb, atMost: 64 } } })`
    const { code, out } = await run(sized, 'sample', '--mb', '64', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ figures: { sizeMb: 64 }, met: true })
    expect(await run(good, 'sample', '--mb', '64', '--json')).toMatchObject({ code: 1, out: '' })
  })

  it('exits with 1 when it could not measure, with 2 for what is no bench', async () => {
    const broken = 'export const bench = async () => { throw new Error("no disk") }'
    expect(await run(broken, 'sample', '--json')).toMatchObject({
      code: 1,
      out: '',
      said: expect.stringContaining('no disk'),
    })
    for (const args of [
      [],
      ['other'],
      ['../sample'],
      ['sample', 'sample'],
      ['sample', '--other'],
      ['sample', '--mb', '0'],
    ])
      expect(await run(good, ...args)).toMatchObject({
        code: 2,
        out: '',
        said: expect.stringContaining('Benches: sample'),
      })
  })
})
