/** Requests to the API over connections that stay open: `fetch` would add its own milliseconds to each. */
import { Agent, request } from 'node:http'

export interface Ask {
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

export class KeepAlive implements Disposable {
  readonly #agent: Agent

  constructor(connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  post({ url, headers, body }: Ask): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method: 'POST', agent: this.#agent, headers: { ...headers, 'content-length': body.length } },
        (reply) => {
          const parts: Buffer[] = []
          reply.on('data', (part: Buffer) => parts.push(part))
          reply.on('end', () => {
            const bytes = Buffer.concat(parts)
            if (reply.statusCode === 200) resolve(bytes)
            else reject(new Error(`${reply.statusCode} ${bytes.toString('latin1', 0, 200)}`))
          })
          reply.on('error', reject)
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Of a caller with the administrator's token. */
export function adminHeaders(token: string): Record<string, string> {
  return {
    'content-type': 'application/cbor',
    accept: 'application/cbor',
    authorization: `Bearer ${token}`,
  }
}
