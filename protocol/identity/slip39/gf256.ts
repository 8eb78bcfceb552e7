/** The field of 256 elements of AES (x^8 + x^4 + x^3 + x + 1), and lines through points in it. */
export interface Point {
  readonly x: number
  readonly y: Uint8Array
}

const exp = new Uint8Array(255)
const log = new Uint8Array(256)
for (let power = 0, element = 1; power < 255; power++) {
  exp[power] = element
  log[element] = power
  // Times the generator, x + 1.
  element ^= (element << 1) ^ (element & 0x80 ? 0x11b : 0)
}

/** What the polynomial of lowest degree through these points is at x, byte by byte. The points have different x. */
export function interpolate(points: readonly Point[], x: number): Uint8Array {
  const there = points.find((point) => point.x === x)
  if (there !== undefined) return there.y.slice()
  const logOf = (element: number): number => log[element] as number
  const logOfAll = points.reduce((sum, point) => sum + logOf(point.x ^ x), 0)
  const result = new Uint8Array((points[0] as Point).y.length)
  for (const { x: own, y } of points) {
    const others = points.reduce((sum, point) => sum + (point.x === own ? 0 : logOf(point.x ^ own)), 0)
    const basis = (((logOfAll - logOf(own ^ x) - others) % 255) + 255) % 255
    for (const [at, element] of y.entries()) {
      if (element !== 0) result[at] = (result[at] as number) ^ (exp[(logOf(element) + basis) % 255] as number)
    }
  }
  return result
}
