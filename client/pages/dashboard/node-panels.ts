import { toHex } from '../../../protocol/bytes.ts'
import { element, fill } from '../parts/element.ts'
import { bytesInWords, countInWords, shortId, spanInWords } from '../parts/words.ts'
import type { Panel, Status } from './board.ts'

function panel(title: string, draw: (status: Status) => readonly HTMLElement[]): Panel {
  const body = element('div', { class: 'stack tight' })
  return {
    element: element('section', { class: 'card stack' }, element('h2', {}, title), body),
    update: (status) => fill(body, ...draw(status)),
  }
}

function facts(rows: readonly (readonly [string, string])[]): HTMLElement {
  return element(
    'dl',
    { class: 'facts' },
    ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]),
  )
}

function none(text: string): HTMLElement {
  return element('p', { class: 'soft' }, text)
}

const peersShown = 12

export function peersPanel(): Panel {
  return panel('Other nodes', ({ peers }) => {
    if (peers.length === 0) return [none('None known. This node works alone; copies need neighbours.')]
    const connected = peers.filter((peer) => peer.connected)
    const rows = [...connected, ...peers.filter((peer) => !peer.connected)].slice(0, peersShown)
    return [
      element('p', { class: 'soft small' }, `${connected.length} connected, ${peers.length} known`),
      element(
        'ul',
        { class: 'stack tight' },
        ...rows.map((peer) => {
          const id = toHex(peer.node)
          const state = peer.connected ? 'current' : 'away'
          const words = peer.connected ? 'connected' : 'not connected'
          return element(
            'li',
            { class: 'row' },
            element('span', { class: `dot ${state}`, role: 'img', 'aria-label': words, title: words }),
            element(
              'span',
              { class: 'grow', title: id },
              peer.label === null || peer.label === '' ? shortId(id) : peer.label,
            ),
            element('span', { class: 'soft small' }, peer.latencyMs === null ? '' : `${peer.latencyMs} ms`),
          )
        }),
      ),
      ...(peers.length > rows.length ? [none(`and ${peers.length - rows.length} more`)] : []),
    ]
  })
}

export function storagePanel(): Panel {
  return panel('Storage', ({ storage }) => {
    const { records, bytes, freeBytes, folder } = storage
    return [
      facts([
        ['Records', records.toLocaleString()],
        ['On disk', bytesInWords(bytes)],
        ...(freeBytes === null ? [] : ([['Free', bytesInWords(freeBytes)]] as const)),
      ]),
      element('p', { class: 'soft small mono' }, folder),
    ]
  })
}

export function searchPanel(): Panel {
  return panel('Search', ({ aggregates }) => {
    if (aggregates.length === 0)
      return [none('This node indexes no scope. It sends what may be searched to those that do.')]
    return aggregates.map(({ app, scope, documents, leaves, freshMs }) =>
      element(
        'div',
        { class: 'aggregate' },
        element('strong', {}, scope),
        element('span', { class: 'soft small block' }, app === '*' ? 'every app' : app),
        element(
          'span',
          { class: 'soft small block' },
          `${countInWords(documents, 'document', 'documents')} from ${countInWords(leaves, 'source', 'sources')}${
            freshMs === null ? '' : `, ${freshMs < 1000 ? 'up to date' : `${spanInWords(freshMs)} old`}`
          }`,
        ),
      ),
    )
  })
}

export function queuesPanel(): Panel {
  return panel('Queues', ({ outbox, dht, counters }) => [
    facts([
      ['Waiting for other nodes', waiting(outbox)],
      ['To be announced', dht.queued.toLocaleString()],
      ['Announced', dht.provided.toLocaleString()],
      ['DHT neighbours', dht.peers.toLocaleString()],
    ]),
    element(
      'details',
      {},
      element('summary', {}, 'All counters'),
      facts(Object.entries(counters).map(([name, value]) => [name, value.toLocaleString()] as const)),
    ),
  ])
}

function waiting({ queued, oldestMs }: Status['outbox']): string {
  return oldestMs === null || queued === 0
    ? queued.toLocaleString()
    : `${queued.toLocaleString()}, the oldest for ${spanInWords(oldestMs)}`
}
