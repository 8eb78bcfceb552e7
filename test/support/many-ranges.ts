/** A message of Negentropy V1 with so many ranges, each of a clock of its own with a fingerprint that nothing has. */
export function manyRanges(count: number): Uint8Array {
  const range = Uint8Array.of(2, 0, 1, ...new Uint8Array(16).fill(7))
  const message = new Uint8Array(1 + count * range.length)
  message[0] = 0x61
  for (let i = 0; i < count; i++) message.set(range, 1 + i * range.length)
  return message
}
