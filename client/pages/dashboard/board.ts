import { OnehopError } from '../../../protocol/errors.ts'
import type { ReplyOf, RequestOf } from '../../../protocol/api/operations.ts'
import { systemClock } from '../../clock.ts'
import { connectAdmin } from '../../admin.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { element, fill } from '../parts/element.ts'
import { failureNotice } from '../parts/notice.ts'
import { shortId, spanInWords } from '../parts/words.ts'
import { copiesPanel, peoplePanel } from './hosted-panel.ts'
import { neighboursPanel } from './neighbours-panel.ts'
import { pairingPanel } from './pairing-panel.ts'
import { peersPanel, queuesPanel, searchPanel, storagePanel } from './node-panels.ts'
import { problemsPanel } from './problems-panel.ts'
import { forgetToken } from './token.ts'
import { tokensPanel } from './tokens-panel.ts'

export type Status = ReplyOf<'admin.status'>

const refreshMs = 2000

/** One part of the board: drawn once, told of every new status. */
export interface Panel {
  readonly element: HTMLElement
  update(status: Status): void
}

/** Refreshes until the node refuses the token; resolves with that refusal. */
export async function showBoard(page: HTMLElement, token: string): Promise<OnehopError> {
  const admin = connectAdmin({ address: location.origin, token })
  const head = element('header', { class: 'head' })
  const trouble = element('div', {})
  const pairing = pairingPanel(admin)
  const tokens = tokensPanel(admin)
  const neighbours = neighboursPanel(admin)
  const ask = (request: RequestOf<'admin.status'>): Promise<Status> => admin.call('admin.status', request)
  const people = peoplePanel(() => void refresh().catch(show))
  const panels: readonly Panel[] = [
    problemsPanel(),
    people,
    peersPanel(),
    storagePanel(),
    searchPanel(),
    queuesPanel(),
    copiesPanel(ask, (error) => show(error)),
  ]
  const [problems, ...others] = panels.map((panel) => panel.element)
  fill(
    page,
    element(
      'main',
      { class: 'board' },
      head,
      trouble,
      problems,
      element(
        'div',
        { class: 'columns' },
        element('div', { class: 'aside' }, pairing.element),
        element(
          'div',
          { class: 'panels' },
          others[0],
          neighbours.element,
          ...others.slice(1),
          tokens.element,
        ),
      ),
    ),
  )

  const refresh = async (): Promise<void> => {
    const status = await ask(people.request())
    fill(trouble)
    drawHead(head, status)
    for (const panel of panels) panel.update(status)
    await pairing.refresh(status)
    await neighbours.refresh(status.clockMs)
    await tokens.refresh(status.clockMs)
  }
  const show = (error: unknown): void => fill(trouble, failureNotice(error))

  while (true) {
    try {
      await refresh()
    } catch (error) {
      if (error instanceof OnehopError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN')) {
        forgetToken()
        return error
      }
      show(error)
    }
    await systemClock.sleep(refreshMs)
  }
}

function drawHead(head: HTMLElement, status: Status): void {
  const { healthy, node, version, uptimeMs, region, roles } = status
  const facts = [
    `node ${shortId(toHex(node))}`,
    region === null || region === '/geo' ? undefined : region,
    roles.length === 0 ? undefined : roles.join(', '),
    `up ${spanInWords(uptimeMs)}`,
    version,
  ]
  fill(
    head,
    element(
      'div',
      {},
      element('p', { class: 'brand' }, 'onehop'),
      element('h1', {}, healthy ? 'All is well' : 'This needs you'),
      element('p', { class: 'soft small' }, facts.filter((one) => one !== undefined).join(' · ')),
    ),
    element(
      'span',
      { class: `health ${healthy ? 'good' : 'bad'}`, role: 'status' },
      healthy ? 'healthy' : 'not healthy',
    ),
  )
}
