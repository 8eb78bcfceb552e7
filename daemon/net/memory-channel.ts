import type { Clock } from '../../protocol/ports.ts'
import type { Channel, ChannelEvents } from './channel.ts'

/** Of one frame. */
export interface Travel {
  readonly delayMs: number
  readonly reorder: boolean
  /** It arrives once more, after so long. */
  readonly againMs?: number
}

export interface MemoryChannelOptions {
  readonly clock: Clock
  /** How the next frame travels; undefined when it is lost. */
  readonly drawForth: () => Travel | undefined
  readonly drawBack: () => Travel | undefined
  readonly onClosed: (channel: MemoryChannel) => void
}

/** One end of a stream in memory. It has no window: back-pressure of bytes is the real transports' affair. */
export class MemoryChannel implements Channel {
  readonly #clock: Clock
  readonly #draw: MemoryChannelOptions['drawForth']
  readonly #onClosed: (channel: MemoryChannel) => void
  #other: MemoryChannel | undefined
  #events: ChannelEvents | undefined
  #early: Uint8Array[] = []
  #closed = false
  /** When the last frame arrives at the other end: later ones not before, unless the link reorders. */
  #lastArrivalMs = 0
  readonly #inOrder: ((other: MemoryChannel) => void)[] = []

  private constructor(draw: MemoryChannelOptions['drawForth'], options: MemoryChannelOptions) {
    this.#clock = options.clock
    this.#draw = draw
    this.#onClosed = options.onClosed
  }

  static pair(options: MemoryChannelOptions): [near: MemoryChannel, far: MemoryChannel] {
    const near = new MemoryChannel(options.drawForth, options)
    const far = new MemoryChannel(options.drawBack, options)
    near.#other = far
    far.#other = near
    return [near, far]
  }

  send(frame: Uint8Array): void {
    if (this.#closed) return
    const travel = this.#draw()
    if (travel === undefined) return
    // A copy, as the sender may reuse its buffer and the receiver may keep its own.
    const arrive = (other: MemoryChannel): void => other.#receive(frame.slice())
    this.#later(travel, arrive)
    if (travel.againMs !== undefined) this.#later({ ...travel, delayMs: travel.againMs }, arrive)
  }

  queuedBytes(): number {
    return 0
  }

  async drained(): Promise<void> {}

  attach(events: ChannelEvents): void {
    this.#events = events
    const early = this.#early
    this.#early = []
    for (const frame of early) this.#receive(frame)
    if (this.#closed) events.onClose()
  }

  close(): void {
    if (this.#closed) return
    // Never lost: real streams say it again until the far side knows or the connection is given up.
    const { delayMs } = this.#draw() ?? { delayMs: 0 }
    this.#later({ delayMs, reorder: false }, (other) => other.drop())
    this.drop()
  }

  abort(): void {
    this.close()
  }

  /** This end closes, the other is told nothing: as when the connection dies. */
  drop(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClosed(this)
    this.#events?.onClose()
  }

  #later(travel: Travel, action: (other: MemoryChannel) => void): void {
    const other = this.#other
    if (other === undefined) return
    const nowMs = this.#clock.monotonicMs()
    const arrivalMs = travel.reorder
      ? nowMs + travel.delayMs
      : Math.max(nowMs + travel.delayMs, this.#lastArrivalMs)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, arrivalMs)
    if (travel.reorder) {
      this.#clock.after(arrivalMs - nowMs, () => action(other))
      return
    }
    // Each arrival takes the oldest frame: real timers a fraction apart may fire in either order.
    this.#inOrder.push(action)
    const arrive = (): void => this.#inOrder.shift()?.(other)
    if (arrivalMs <= nowMs && this.#inOrder.length === 1) queueMicrotask(arrive)
    else this.#clock.after(arrivalMs - nowMs, arrive)
  }

  #receive(frame: Uint8Array): void {
    if (this.#closed) return
    if (this.#events === undefined) {
      this.#early.push(frame)
      return
    }
    try {
      void this.#events.onFrame(frame)
    } catch {
      // The events' owner has logged why.
      this.abort()
    }
  }
}
