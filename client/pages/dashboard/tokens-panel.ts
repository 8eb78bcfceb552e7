import type { ReplyOf } from '../../../protocol/api/operations.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { actionButton, element, fill } from '../parts/element.ts'
import { noticePlace } from '../parts/notice.ts'
import { shortId, spanInWords } from '../parts/words.ts'
import type { Admin } from './pairing-panel.ts'

type Token = ReplyOf<'token.list'>['tokens'][number]

export interface TokensPanel {
  readonly element: HTMLElement
  refresh(clockMs: number): Promise<void>
}

/** Apps that were let in, with a way to end each; hidden where there is none. */
export function tokensPanel(admin: Admin): TokensPanel {
  const list = element('ul', { class: 'people' })
  const problems = noticePlace()
  const card = element(
    'section',
    { class: 'card stack wide', hidden: true },
    element('h2', {}, 'Apps with a token'),
    list,
    problems.element,
  )
  let drawn = ''
  const refresh = async (clockMs: number): Promise<void> => {
    const { tokens } = await admin.call('token.list', {})
    // Those that are refused are shown too: whose device comes back in force is good again, and this is where to end it.
    const kept = tokens.filter(({ revokedMs }) => revokedMs === null)
    card.hidden = kept.length === 0
    // Drawn anew only where something changed: a button must not go away under a finger.
    const key = kept.map((token) => `${toHex(token.id)} ${standingInWords(token, clockMs)}`).join()
    if (key === drawn) return
    drawn = key
    fill(list, ...kept.map((token) => row(token, clockMs)))
  }
  const row = (token: Token, clockMs: number): HTMLElement =>
    element(
      'li',
      { class: 'person-row' },
      element(
        'div',
        { class: 'grow' },
        element('strong', {}, token.label),
        element(
          'span',
          { class: 'soft small block' },
          `${token.origin ?? 'a program'} · of ${shortId(toHex(token.owner))} · ${standingInWords(token, clockMs)}`,
        ),
        element('span', { class: 'soft small block' }, `${token.app}: ${scopesInWords(token)}`),
      ),
      actionButton(
        token.refused === null ? 'Revoke' : 'Remove',
        'danger',
        async () => {
          problems.clear()
          await admin.call('token.revoke', { owner: token.owner, id: token.id })
          await refresh(clockMs)
        },
        problems.show,
      ),
    )
  return { element: card, refresh }
}

function standingInWords({ expiresMs, refused }: Token, clockMs: number): string {
  if (refused === 'REVOKED') return 'no longer valid: its device was revoked'
  if (refused !== null) return 'no longer valid: its person, or its device, is not of this node'
  return `good for ${spanInWords(expiresMs - clockMs)}`
}

function scopesInWords({ scopes }: Token): string {
  return scopes.map(({ collection, access }) => `${access}s ${collection ?? 'everything'}`).join(', ')
}
