/** A curve as a picture, and as a line of blocks for a terminal. */

export interface Curve {
  readonly name: string
  readonly unit: string
  readonly values: readonly number[]
}

const blocks = '▁▂▃▄▅▆▇█'

export function sparkline({ values }: Curve, width = 60): string {
  const shown = thinned(values, width)
  const [low, high] = [Math.min(...shown), Math.max(...shown)]
  const step = (high - low) / (blocks.length - 1) || 1
  return shown.map((value) => blocks[Math.round((value - low) / step)]).join('')
}

/** One panel under the other, each from zero to its highest. */
export function svg(title: string, minutes: number, curves: readonly Curve[]): string {
  const [width, panel, left] = [720, 130, 60]
  const panels = curves.map(({ name, unit, values }, i) => {
    const top = 40 + i * panel
    const high = Math.max(...values, 1)
    const shown = thinned(values, 600)
    const points = shown
      .map((value, at) => {
        const x = left + (at / Math.max(1, shown.length - 1)) * (width - left - 20)
        return `${x.toFixed(1)},${(top + 90 - (value / high) * 80).toFixed(1)}`
      })
      .join(' ')
    return [
      `<text x="${left}" y="${top}">${name}: ${format(values.at(-1) ?? 0)} ${unit}, at most ${format(high)}</text>`,
      `<path d="M${left} ${top + 10}V${top + 90}H${width - 20}" fill="none" stroke="#999"/>`,
      `<polyline points="${points}" fill="none" stroke="#1558d6" stroke-width="1.5"/>`,
    ].join('')
  })
  const height = 50 + curves.length * panel
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/><text x="${left}" y="22" font-weight="bold">${title}, ${minutes} minutes</text>${panels.join('')}</svg>\n`
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1)
}

/** The highest of each stretch: a peak is what one looks for. */
function thinned(values: readonly number[], count: number): number[] {
  if (values.length <= count) return [...values]
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * values.length) / count)
    return Math.max(...values.slice(from, Math.floor(((i + 1) * values.length) / count)))
  })
}
