import { equalBytes, toHex } from '../../../protocol/bytes.ts'
import { httpTransport, OnehopError } from '../../index.ts'
import { microblog } from '../../microblog.ts'
import type { AdmissionRequest } from '../parts/admission-link.ts'
import { actionButton, element, fill } from '../parts/element.ts'
import { notice, noticePlace } from '../parts/notice.ts'
import { shortId } from '../parts/words.ts'
import type { Screen } from './screen.ts'

const lifetimeMs = 180 * 86_400_000

/** An owner's device admits another phone as an app: it may read and write for the person, and nothing more. */
export function admissionScreen({ phone, root }: Screen, request: AdmissionRequest, nowMs: number): void {
  const problems = noticePlace()
  const { identity } = phone
  const admit = async (): Promise<void> => {
    problems.clear()
    if (identity.role !== 'owner') {
      throw new OnehopError('FORBIDDEN', 'this phone holds an app key and cannot admit others')
    }
    if (!equalBytes(request.identity, identity.id)) {
      throw new OnehopError('FORBIDDEN', 'the node asks another person than you', {
        help: 'Choose yourself at the node as the one who admits.',
      })
    }
    const { key, boxKey, possession } = request
    const capabilities = [
      { app: microblog.id, collection: undefined, access: 'write', expiresMs: nowMs + lifetimeMs } as const,
    ]
    const log = await identity.withDevice({ key, boxKey, possession, role: 'app', capabilities })
    const node = httpTransport({ address: location.origin })
    // Kept when the node took it: what was refused is not to be told with what comes next.
    await node.call('identity.append', { identity: identity.id, log })
    await identity.learn(log)
    fill(
      root,
      element(
        'main',
        { class: 'screen stack' },
        element('h1', {}, 'Admitted'),
        notice(
          'good',
          `“${request.label}” may write for you now.`,
          'It ends after half a year, or when you revoke it.',
        ),
        element('a', { class: 'button primary', href: '#/home' }, 'Done'),
      ),
    )
  }
  fill(
    root,
    element(
      'main',
      { class: 'screen stack' },
      element('h1', {}, 'Admit a phone?'),
      element(
        'section',
        { class: 'card stack' },
        element(
          'p',
          {},
          `It calls itself “${request.label}” and asks to read and write your public posts and profile for half a year.`,
        ),
        element('p', { class: 'soft small mono' }, `Key ${shortId(toHex(request.key))}`),
        notice(
          'warn',
          'Admit only a phone that you hold in your hand.',
          'It writes in your name. It cannot admit others.',
        ),
      ),
      problems.element,
      actionButton('Admit it', 'primary', admit, problems.show),
      element('a', { class: 'button quiet', href: '#/home' }, 'No'),
    ),
  )
}
