/** Who keeps copies of whom; a friend is invited, and an invitation taken up. */
import type { ReplyOf } from '../../../protocol/api/operations.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { systemClock } from '../../clock.ts'
import { actionButton, element, field, fill } from '../parts/element.ts'
import { noticePlace } from '../parts/notice.ts'
import { bytesInWords, countInWords, shortId, spanInWords } from '../parts/words.ts'
import type { Admin } from './pairing-panel.ts'

type Reply = ReplyOf<'admin.neighbours'>
type Neighbour = Reply['neighbours'][number]

const gb = 2 ** 30
const sizes = [1, 5, 20, 100] as const

export interface NeighboursPanel {
  readonly element: HTMLElement
  refresh(clockMs: number): Promise<void>
}

export function neighboursPanel(admin: Admin): NeighboursPanel {
  const list = element('ul', { class: 'people' })
  const space = element('p', { class: 'soft small' })
  const problems = noticePlace()
  let drawn = ''
  const refresh = async (clockMs: number): Promise<void> => {
    const found = await admin.call('admin.neighbours', {})
    space.textContent = spaceInWords(found)
    const close = found.neighbours.filter(
      ({ pact, keeps, kept }) => pact !== null || keeps.shards > 0 || kept.shards > 0,
    )
    const key = close.map((one) => JSON.stringify(rowWords(one, clockMs))).join()
    if (key === drawn) return
    drawn = key
    fill(
      list,
      ...close.map((one) => row(one, clockMs)),
      close.length === 0 &&
        element(
          'li',
          { class: 'soft' },
          'Nobody yet. Invite a friend who has a box: each keeps copies of the other.',
        ),
    )
  }
  return {
    element: element(
      'section',
      { class: 'card stack wide' },
      element('h2', {}, 'Neighbours'),
      list,
      space,
      inviting(admin, problems),
      accepting(admin, problems, refresh),
      problems.element,
    ),
    refresh,
  }
}

function inviting(admin: Admin, problems: ReturnType<typeof noticePlace>): HTMLElement {
  const size = element(
    'select',
    {},
    ...sizes.map((each) => element('option', { value: each }, `${each} GB each way`)),
  )
  const name = element('input', { type: 'text', maxlength: 40, autocomplete: 'off', placeholder: 'Ben' })
  const link = element('output', { class: 'invitation small mono', hidden: true })
  const words = element('p', { class: 'soft small', hidden: true })
  const make = actionButton(
    'Make an invitation',
    'primary',
    async () => {
      problems.clear()
      const bytes = Number(size.value) * gb
      const label = name.value.trim()
      const made = await admin.call('admin.invite', {
        ...{ givesBytes: bytes, getsBytes: bytes },
        ...(label === '' ? {} : { label }),
      })
      link.textContent = made.link
      link.hidden = false
      words.textContent = `Send this line to ${label === '' ? 'your friend' : label}, as a letter and not on a wall: it is good once, for ${spanInWords(made.lifetimeS * 1000)}. They paste it on this page of their own node.`
      words.hidden = false
    },
    problems.show,
  )
  return element(
    'details',
    {},
    element('summary', {}, 'Invite a friend'),
    element('div', { class: 'stack' }, field('Who', name), field('How much', size), make, words, link),
  )
}

function accepting(
  admin: Admin,
  problems: ReturnType<typeof noticePlace>,
  refresh: (clockMs: number) => Promise<void>,
): HTMLElement {
  const line = element('textarea', { rows: 3, spellcheck: 'false', placeholder: 'onehop-invitation:…' })
  const done = element('p', { class: 'soft small', role: 'status', hidden: true })
  const take = actionButton(
    'Take it up',
    'primary',
    async () => {
      problems.clear()
      done.hidden = true
      const made = await admin.call('admin.invite.accept', { link: line.value })
      line.value = ''
      const who = made.label === '' ? shortId(toHex(made.node)) : made.label
      done.textContent = `Agreed with ${who}: they keep up to ${bytesInWords(made.getsBytes)} for you, you ${bytesInWords(made.givesBytes)} for them. Copies are made when you next open your app.`
      done.hidden = false
      await refresh(systemClock.nowMs())
    },
    problems.show,
  )
  return element(
    'details',
    {},
    element('summary', {}, 'I was invited'),
    element('div', { class: 'stack' }, field('Their line', line), take, done),
  )
}

function row(one: Neighbour, clockMs: number): HTMLElement {
  const [name, sinceWords, keeps, kept] = rowWords(one, clockMs)
  const id = toHex(one.node)
  const state = one.awayMs > 0 ? 'away' : one.keeps.behind > 0 ? 'behind' : 'current'
  const now = nowInWords(one)
  return element(
    'li',
    { class: 'person-row' },
    element(
      'div',
      { class: 'grow' },
      element('strong', {}, name),
      element('span', { class: 'soft small block', title: id }, sinceWords),
    ),
    element(
      'div',
      { class: 'amount' },
      element('span', { class: 'block' }, keeps),
      element('span', { class: 'soft small block' }, kept),
    ),
    element('span', { class: `dot ${state}`, role: 'img', 'aria-label': now, title: now }),
  )
}

function rowWords(
  one: Neighbour,
  clockMs: number,
): [name: string, since: string, keeps: string, kept: string, now: string] {
  const { pact, keeps, kept, node, label } = one
  const agreed =
    pact === null
      ? 'no pact'
      : `${bytesInWords(pact.getsBytes)} for ${bytesInWords(pact.givesBytes)}, since ${spanInWords(Math.max(60_000, clockMs - pact.madeMs))}`
  return [
    label === '' ? shortId(toHex(node)) : label,
    agreed,
    `keeps ${amount(keeps)}`,
    `you keep ${amount(kept)}`,
    nowInWords(one),
  ]
}

function amount({ shards, bytes }: Neighbour['keeps']): string {
  return shards === 0 ? 'nothing' : `${countInWords(shards, 'shard', 'shards')}, ${bytesInWords(bytes)}`
}

function nowInWords({ awayMs, keeps }: Neighbour): string {
  if (awayMs > 0) return `away for ${spanInWords(awayMs)}`
  return keeps.behind > 0 ? `${countInWords(keeps.behind, 'copy', 'copies')} catching up` : 'here'
}

function spaceInWords({ leasedBytes, offerBytes, offers, invitations }: Reply): string {
  const open =
    invitations === 0
      ? ''
      : ` ${countInWords(invitations, 'invitation', 'invitations')} nobody came with yet.`
  const strangers =
    offers.length === 0
      ? 'Strangers get nothing.'
      : `Offered beside: ${offers.map(({ to }) => (to.length === 64 ? shortId(to) : to)).join(', ')}.`
  return `Leased to others: ${bytesInWords(leasedBytes)} of at most ${bytesInWords(offerBytes)}. ${strangers}${open}`
}
