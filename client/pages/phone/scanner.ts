/** Reads QR codes with the camera. The reader itself is loaded when somebody first scans. */
import type jsQR from 'jsqr'
import { OnehopError } from '../../../protocol/errors.ts'
import { systemClock } from '../../clock.ts'
import { element } from '../parts/element.ts'
import { icon } from '../parts/icon.ts'

/** Five looks a second find a QR as soon as it is sharp, and leave a cheap phone cool. */
const lookEveryMs = 200
/** Larger frames cost time and make no QR on a screen easier to read. */
const frameEdgeMax = 720

export function canScan(): boolean {
  // Missing on pages from plain http.
  return (navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia !== undefined
}

/**
 * Shows the camera over the page until a code satisfies `read`. Undefined when the person closed it.
 * `read` returns undefined for a code that is not what is looked for.
 */
export async function scan<T>(title: string, read: (text: string) => T | undefined): Promise<T | undefined> {
  const video = element('video', { class: 'scanner-video', autoplay: true, muted: true, playsinline: true })
  const hint = element(
    'p',
    { class: 'scanner-hint', 'aria-live': 'polite' },
    'Hold the phone so that the square fills the frame.',
  )
  const close = element(
    'button',
    { type: 'button', class: 'button scanner-close', 'aria-label': 'Close the camera' },
    icon('close'),
  )
  const dialog = element(
    'dialog',
    { class: 'scanner', 'aria-label': title },
    video,
    element('div', { class: 'scanner-frame' }),
    element('div', { class: 'scanner-bar' }, element('h2', {}, title), close),
    hint,
  )
  document.body.append(dialog)
  const closed = new AbortController()
  close.addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => closed.abort())
  dialog.showModal()
  let stream: MediaStream | undefined
  try {
    const [reader, opened] = await Promise.all([loadReader(), openCamera()])
    stream = opened
    video.srcObject = stream
    await video.play()
    while (!closed.signal.aborted) {
      const text = look(video, reader)
      const found = text === undefined ? undefined : read(text)
      if (found !== undefined) return found
      if (text !== undefined)
        hint.textContent = 'This is another kind of QR code. Look for the one that the node shows.'
      await systemClock.sleep(lookEveryMs)
    }
    return undefined
  } finally {
    for (const track of stream?.getTracks() ?? []) track.stop()
    dialog.close()
    dialog.remove()
  }
}

type Reader = typeof jsQR.default

async function loadReader(): Promise<Reader> {
  const loaded: unknown = await import('jsqr')
  // A CommonJS module that says it is an ES module: bundlers differ in how deep the default lies.
  const { default: outer } = loaded as { default: Reader | { default: Reader } }
  return typeof outer === 'function' ? outer : outer.default
}

async function openCamera(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } },
    })
  } catch (cause) {
    const refused = cause instanceof Error && cause.name === 'NotAllowedError'
    throw new OnehopError(
      refused ? 'FORBIDDEN' : 'UNSUPPORTED',
      refused ? 'this page may not use the camera' : 'the camera cannot be opened',
      { cause, help: 'Allow the camera in the browser’s settings for this page, or paste the link instead.' },
    )
  }
}

function look(video: HTMLVideoElement, reader: Reader): string | undefined {
  const { videoWidth, videoHeight } = video
  if (videoWidth === 0) return undefined
  const scale = Math.min(1, frameEdgeMax / Math.max(videoWidth, videoHeight))
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(videoWidth * scale)
  canvas.height = Math.round(videoHeight * scale)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) return undefined
  context.drawImage(video, 0, 0, canvas.width, canvas.height)
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
  return reader(data, canvas.width, canvas.height, { inversionAttempts: 'dontInvert' })?.data || undefined
}
