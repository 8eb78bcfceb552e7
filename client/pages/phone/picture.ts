/** Pictures are drawn anew on the phone: smaller, and without what cameras write into them, such as where they were. */
import { OnehopError } from '../../../protocol/errors.ts'

export interface Drawn {
  readonly bytes: Uint8Array
  readonly type: string
}

interface Wanted {
  readonly edgeMax: number
  readonly bytesMax: number
  /** Cut to a square around the middle. */
  readonly square?: boolean
}

/** A face beside a name. */
export const thumbnail: Wanted = { edgeMax: 192, bytesMax: 8 * 1024, square: true }
/** What travels with a post. */
export const preview: Wanted = { edgeMax: 900, bytesMax: 32 * 1024 }
/** What is fetched when somebody opens the picture. */
export const whole: Wanted = { edgeMax: 2560, bytesMax: 4 * 2 ** 20 }

const qualities = [0.86, 0.74, 0.62, 0.5, 0.38, 0.26]
const smallestEdge = 48

/** A JPEG within the bounds: less quality first, then fewer pixels. */
export async function drawPicture(file: Blob, wanted: Wanted): Promise<Drawn> {
  const image = await decodePicture(file)
  try {
    const side = Math.min(image.width, image.height)
    const width = wanted.square === true ? side : image.width
    const height = wanted.square === true ? side : image.height
    let scale = Math.min(1, wanted.edgeMax / Math.max(width, height))
    while (Math.max(width, height) * scale >= smallestEdge) {
      const canvas = draw(image, width, height, scale)
      for (const quality of qualities) {
        const blob = await encode(canvas, quality)
        if (blob.size <= wanted.bytesMax) {
          return { bytes: new Uint8Array(await blob.arrayBuffer()), type: blob.type }
        }
      }
      scale *= 0.75
    }
  } finally {
    image.close()
  }
  throw new OnehopError('TOO_LARGE', 'this picture cannot be made small enough', {
    help: 'Choose another one.',
  })
}

async function decodePicture(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file)
  } catch (cause) {
    throw new OnehopError('BAD_FIELD', 'this file is no picture that this browser can read', {
      cause,
      help: 'Choose a JPEG, PNG or WebP picture.',
    })
  }
}

function draw(image: ImageBitmap, width: number, height: number, scale: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  const context = canvas.getContext('2d')
  if (context === null) throw new OnehopError('UNSUPPORTED', 'this browser cannot draw pictures')
  // JPEG has no transparency: see-through parts would come out black.
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  const left = (image.width - width) / 2
  const top = (image.height - height) / 2
  context.drawImage(image, left, top, width, height, 0, 0, canvas.width, canvas.height)
  return canvas
}

function encode(canvas: HTMLCanvasElement, quality: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => {
        if (blob === null) reject(new OnehopError('UNSUPPORTED', 'this browser cannot write JPEG pictures'))
        else resolve(blob)
      },
      'image/jpeg',
      quality,
    )
  })
}
