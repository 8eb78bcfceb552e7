/**
 * A process that stays in a box's network, which lasts as long as it does, and passes on what is asked of the node there: a node
 * takes administration over loopback alone, and each box has its own. Imports nothing, so that it is there at once.
 */
export interface Question {
  readonly id: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface Answer {
  /** 0: the door is open. */
  readonly id: number
  /** Undefined where nobody answered. */
  readonly reply?: { readonly status: number; readonly body: Uint8Array } | undefined
}

process.on('message', ({ id, url, headers, body }: Question) => {
  fetch(url, { method: 'POST', headers, body: Buffer.from(body) })
    .then(async (answer) => ({ status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) }))
    .then(
      (reply) => say({ id, reply }),
      () => say({ id }),
    )
})
process.on('disconnect', () => process.exit(0))
say({ id: 0 })

function say(answer: Answer): void {
  process.send?.(answer)
}
