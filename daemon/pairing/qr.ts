import QRCode from 'qrcode'

/** As half-height blocks for a terminal: dark modules on light whatever the terminal's colours are. */
export function qrTerminal(link: string): Promise<string> {
  return QRCode.toString(link, { type: 'terminal', small: true, errorCorrectionLevel: 'L' })
}

/** As an SVG document, which scales to any page. */
export function qrSvg(link: string): Promise<string> {
  return QRCode.toString(link, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' })
}
