/** Line drawings on a 24 by 24 grid; colour and width come from the style sheet. */
const drawings = {
  home: ['M3 11.5 12 4l9 7.5', 'M5.5 10v9.5h4.8v-5.8h3.4v5.8h4.8V10'],
  search: ['M10.5 17.5a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z', 'm15.7 15.7 5 5'],
  follow: [
    'M9 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z',
    'M2 20.5c.4-4 3.2-6 7-6s6.600 2 7 6',
    'M19 7.500v6',
    'M16 10.500h6',
  ],
  me: [
    'M12 12a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9Z',
    'M4 21c.5-4.500 3.600-6.500 8-6.500s7.500 2 8 6.500',
  ],
  write: ['m4 20 1-4.500L16.500 4l3.500 3.500L8.500 19 4 20Z', 'm14 6.500 3.500 3.500'],
  camera: ['M3 8h4l2-3h6l2 3h4v11H3V8Z', 'M12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z'],
  scan: ['M4 8V4h4', 'M16 4h4v4', 'M20 16v4h-4', 'M8 20H4v-4', 'M4 12h16'],
  link: [
    'M10 14a4 4 0 0 0 5.700 0l3.600-3.600a4 4 0 0 0-5.700-5.700L12.500 5.800',
    'M14 10a4 4 0 0 0-5.700 0l-3.600 3.600a4 4 0 0 0 5.700 5.700l1.100-1.100',
  ],
  back: ['M14.500 5 7.500 12l7 7'],
  close: ['m6 6 12 12', 'M18 6 6 18'],
  check: ['m5 12.500 4.500 4.500L19 7'],
  checks: ['m2.500 12.500 4.500 4.500L16 8', 'm12 16.500.5.500L21.500 8'],
  waiting: ['M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17Z', 'M12 7.500V12l3 2'],
  warning: ['M12 4 2.800 20h18.400L12 4Z', 'M12 10.500v4', 'M12 17.200v.1'],
  place: [
    'M12 21c4.500-5 6.500-8.300 6.500-11a6.500 6.500 0 1 0-13 0c0 2.700 2 6 6.500 11Z',
    'M12 12.200a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600Z',
  ],
} as const

export type IconName = keyof typeof drawings

/** Without a label it is an ornament, and screen readers pass over it. */
export function icon(name: IconName, label?: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', `icon icon-${name}`)
  if (label === undefined) svg.setAttribute('aria-hidden', 'true')
  else {
    svg.setAttribute('role', 'img')
    svg.setAttribute('aria-label', label)
    const title = document.createElementNS(svg.namespaceURI, 'title')
    title.textContent = label
    svg.append(title)
  }
  for (const drawing of drawings[name]) {
    const path = document.createElementNS(svg.namespaceURI, 'path')
    path.setAttribute('d', drawing)
    svg.append(path)
  }
  return svg
}
