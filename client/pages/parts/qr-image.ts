import { element } from './element.ts'

/** A QR as a picture, dark on light in every colour scheme, since not every reader takes the opposite. */
export async function qrImage(text: string, alt: string): Promise<HTMLImageElement> {
  // A CommonJS module: bundlers put what it exports under default.
  const { default: qrcode } = await import('qrcode')
  const svg = await qrcode.toString(text, { type: 'svg', margin: 3, errorCorrectionLevel: 'M' })
  return svgImage(svg, alt)
}

export function svgImage(svg: string, alt: string): HTMLImageElement {
  return element('img', { class: 'qr', alt, src: `data:image/svg+xml,${encodeURIComponent(svg)}` })
}
