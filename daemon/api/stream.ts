import type { Network } from '../net/rpc.ts'
import { serveConnection } from './connection.ts'
import type { Dispatch } from './dispatch.ts'
import { identifySession } from './auth.ts'
import type { LeaveChanges } from './leave.ts'
import type { Sessions } from './sessions.ts'

export const apiProtocol = '/onehop/api/1'

/**
 * The API over libp2p streams. The key that the stream proves is a transport key, which phones rotate, and speaks for
 * no device: a session is opened inside. Administration does not come this way.
 */
export function serveApiStreams(
  network: Pick<Network, 'serveStream' | 'hangUp'>,
  dispatch: Dispatch,
  sessions: Pick<Sessions, 'find'>,
  leave: LeaveChanges,
): void {
  network.serveStream(apiProtocol, (stream) =>
    serveConnection(
      {
        ...stream,
        expel() {
          stream.close()
          // Closed streams are over by then, and who is gone needs no closing.
          network.hangUp(stream.remote).catch(() => undefined)
        },
      },
      { dispatch, leave, token: undefined, identify: (token) => identifySession(token, sessions) },
    ),
  )
}
