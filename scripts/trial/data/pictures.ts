import { crc32, deflateSync } from 'node:zlib'
import type { Draw } from './draw.ts'

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

/** A small PNG of coloured bands with some grain, as a photo's preview is. Grain decides how well it packs. */
export function makePicture(draw: Draw, width: number, height: number, grain: number): Uint8Array {
  const base = [draw.whole(256), draw.whole(256), draw.whole(256)]
  const slope = [draw.fraction(), draw.fraction(), draw.fraction()]
  const rows = new Uint8Array(height * (1 + width * 3))
  let at = 0
  for (let y = 0; y < height; y++) {
    rows[at++] = 0 // no filter
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const shade = (base[channel] as number) + (slope[channel] as number) * (x + 2 * y)
        rows[at++] = (shade + grain * draw.fraction()) & 0xff
      }
    }
  }
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, 2, 0, 0, 0], 8) // 8 bits a channel, RGB
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ])
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
