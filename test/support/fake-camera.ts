/** What a camera sees that is held before a picture on a screen: raw video in a .y4m file, which Chromium plays. */
import { writeFile } from 'node:fs/promises'
import type { Locator } from 'playwright-core'

const width = 640
const height = 480
const frames = 4

/** Films a picture of a page as it is drawn there: its very pixels, nothing that the test knows besides. */
export async function film(picture: Locator, file: string): Promise<string> {
  const encoded = await picture.evaluate(
    async (element, size) => {
      const image = element as HTMLImageElement
      await image.decode()
      const canvas = document.createElement('canvas')
      canvas.width = size.width
      canvas.height = size.height
      const context = canvas.getContext('2d') as CanvasRenderingContext2D
      context.fillStyle = '#9a9a9a'
      context.fillRect(0, 0, size.width, size.height)
      const edge = size.height - 60
      context.drawImage(image, (size.width - edge) / 2, 30, edge, edge)
      const { data } = context.getImageData(0, 0, size.width, size.height)
      let grey = ''
      for (let i = 0; i < data.length; i += 4) grey += String.fromCharCode(data[i] as number)
      return btoa(grey)
    },
    { width, height },
  )
  const luma = Buffer.from(encoded, 'base64')
  const chroma = Buffer.alloc((width * height) / 2, 128)
  const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, chroma])
  const head = Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`)
  await writeFile(file, Buffer.concat([head, ...Array.from({ length: frames }, () => frame)]))
  return file
}
