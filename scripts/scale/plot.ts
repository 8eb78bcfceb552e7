/** Panels of curves as a picture: what was measured in full, what a formula says dashed. */
import type { Measured } from './measure.ts'

interface Line {
  readonly name: string
  readonly colour: string
  readonly dashed?: boolean
  readonly points: readonly (readonly [number, number])[]
}

interface Panel {
  readonly title: string
  readonly lines: readonly Line[]
  readonly x: readonly (readonly [number, string])[]
  readonly low: number
  readonly high: number
}

const colours = ['#c2410c', '#1558d6', '#15803d']
const [width, panelHeight, left, right] = [760, 190, 60, 150]

export function plot(runs: readonly Measured[]): string {
  const shown = runs.filter((run) => run.series.length > 1)
  const profiles = [...new Set(shown.map(({ profile }) => profile))]
  const panels = [
    ...profiles.map((profile) => copiesPanel(shown.filter((run) => run.profile === profile))),
    ...(shown.some(({ profile }) => profile === 'home')
      ? [trafficPanel(shown.filter(({ profile }) => profile === 'home'))]
      : []),
    hopsPanel(shown),
  ]
  const height = 20 + panels.length * panelHeight
  const drawn = panels.map((panel, i) => draw(panel, 20 + i * panelHeight)).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>${drawn}</svg>\n`
}

function copiesPanel(runs: readonly Measured[]): Panel {
  const days = Math.max(...runs.map(({ series }) => series.length))
  const alive = runs.map((run, i) => ({
    name: `${run.nodes.toLocaleString('en-US')} nodes`,
    colour: colours[i % colours.length] as string,
    points: run.series.map((day, at) => [at / days, day.alive] as const),
  }))
  const reachable = runs.map((run, i) => ({
    name: '',
    colour: colours[i % colours.length] as string,
    points: run.series.map((day, at) => [at / days, day.reachable] as const),
  }))
  const formulas = [runs[0]?.copies.alive.formula ?? 0, runs[0]?.copies.reachable.formula ?? 0]
  return {
    title: `${runs[0]?.profile ?? ''}: copies of a shard, alive (above) and reachable (below)`,
    lines: [...alive, ...reachable, ...formulas.map((value) => level(value))],
    x: [
      [0, 'day 1'],
      [1, `day ${days}`],
    ],
    low: 0,
    high: 5,
  }
}

function trafficPanel(runs: readonly Measured[]): Panel {
  const lines = runs.map((run, i) => {
    const weeks = Math.max(1, Math.floor(run.series.length / 7))
    const points = Array.from({ length: weeks }, (_, week) => {
      const bytes = run.series.slice(week * 7, week * 7 + 7).reduce((sum, day) => sum + day.bytes, 0)
      return [(week + 0.5) / weeks, bytes / 2 ** 20 / run.watched / 7] as const
    })
    return {
      name: `${run.nodes.toLocaleString('en-US')} nodes`,
      colour: colours[i % colours.length] as string,
      points,
    }
  })
  const formula = runs[0]?.repair.mbPerNodeDay.formula ?? 0
  const most = Math.max(formula, ...lines.flatMap(({ points }) => points.map(([, value]) => value)))
  return {
    title: 'home: repair traffic, MB a node a day, by week',
    lines: [...lines, level(formula)],
    x: [
      [0, 'day 1'],
      [1, `day ${Math.max(...runs.map(({ series }) => series.length))}`],
    ],
    low: 0,
    high: most * 1.1 || 1,
  }
}

function hopsPanel(runs: readonly Measured[]): Panel {
  const profiles = [...new Set(runs.map(({ profile }) => profile))]
  const of = (profile: string): Measured[] =>
    runs.filter((run) => run.profile === profile).toSorted((a, b) => a.nodes - b.nodes)
  const place = ({ nodes }: Measured): number => (Math.log10(nodes) - 1) / 6
  const lines = profiles.map((profile, i) => ({
    name: profile,
    colour: colours[i % colours.length] as string,
    points: of(profile).map((run) => [place(run), run.lookup.hops.measured] as const),
  }))
  const formula = of(profiles[0] ?? '').map((run) => [place(run), run.lookup.hops.formula] as const)
  return {
    title: 'hops of a lookup, by the number of nodes',
    lines: [...lines, { name: 'formula', colour: '#777', dashed: true, points: formula }],
    x: [2, 4, 6].map((power) => [(power - 1) / 6, (10 ** power).toLocaleString('en-US')] as const),
    low: 0,
    high: 6,
  }
}

function level(value: number): Line {
  const ends = [0, 1].map((x) => [x, value] as const)
  return { name: '', colour: '#777', dashed: true, points: ends }
}

function draw({ title, lines, x, low, high }: Panel, top: number): string {
  const [from, to, foot] = [top + 24, top + panelHeight - 44, top + panelHeight - 26]
  const atX = (share: number): string => (left + share * (width - left - right)).toFixed(1)
  const atY = (value: number): string => (to - ((value - low) / (high - low)) * (to - from)).toFixed(1)
  const ticks = [low, (low + high) / 2, high].map(
    (value) =>
      `<text x="${left - 6}" y="${atY(value)}" text-anchor="end" dominant-baseline="middle" fill="#555">${Number(value.toFixed(2))}</text><path d="M${left} ${atY(value)}H${width - right}" stroke="#eee"/>`,
  )
  const names = lines
    .filter(({ name }) => name !== '')
    .map(
      ({ name, colour }, i) =>
        `<text x="${width - right + 10}" y="${from + 8 + i * 18}" fill="${colour}">${name}</text>`,
    )
  const curves = lines.map(({ colour, dashed, points }) => {
    const path = points.map(([at, value]) => `${atX(at)},${atY(value)}`).join(' ')
    const dots =
      points.length > 5
        ? []
        : points.map(([at, value]) => `<circle cx="${atX(at)}" cy="${atY(value)}" r="3" fill="${colour}"/>`)
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"${dashed === true ? ' stroke-dasharray="5 4"' : ''}/>${dots.join('')}`
  })
  const marks = x.map(
    ([at, text]) => `<text x="${atX(at)}" y="${foot}" text-anchor="middle" fill="#555">${text}</text>`,
  )
  return [
    `<text x="${left}" y="${top + 10}" font-weight="bold">${title}</text>`,
    ...ticks,
    `<path d="M${left} ${from}V${to}H${width - right}" fill="none" stroke="#999"/>`,
    ...curves,
    ...names,
    ...marks,
  ].join('')
}
