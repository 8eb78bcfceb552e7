import type { Stream } from '@libp2p/interface'
import { messageStreamToDuplex } from '@libp2p/utils'
import * as lengthPrefixed from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { concatBytes } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import { nextTurn } from '../clock.ts'
import type { Channel, ChannelEvents } from './channel.ts'
import { withDeadline } from './deadline.ts'

/** Small frames leave together up to here: one muxer frame each would cost more than their bytes. */
const batchBytes = 64 * 1024
/** A peer that does not take our last bytes is reset. */
const closeMs = 1_000

/** A channel over a libp2p stream: length-prefixed frames, in both directions at once. */
export function createStreamChannel(stream: Stream, clock: Clock): Channel {
  // Wrapping a stream that is closed already would wait for an event that has passed.
  if (stream.status !== 'open') throw new OnehopError('UNREACHABLE', `the stream is ${stream.status}`)
  return new StreamChannel(stream, clock)
}

class StreamChannel implements Channel {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #outgoing: Uint8Array[] = []
  readonly #drainWaiters: { belowBytes: number; resolve: () => void }[] = []
  readonly #whenClosed = Promise.withResolvers<void>()
  #queuedBytes = 0
  #wakeSender: (() => void) | undefined
  #ending = false
  #closed = false

  constructor(stream: Stream, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
    // Bytes that come before attach() wait in the stream, whose window bounds them.
    stream.addEventListener('close', () => this.#markClosed(), { once: true })
  }

  attach(events: ChannelEvents): void {
    if (this.#closed) events.onClose()
    else void this.#run(events)
  }

  send(frame: Uint8Array): void {
    if (this.#closed || this.#ending) return
    this.#outgoing.push(frame)
    this.#queuedBytes += frame.length
    this.#wakeSender?.()
  }

  queuedBytes(): number {
    return this.#queuedBytes
  }

  drained(bytes: number): Promise<void> {
    const belowBytes = bytes / 2
    if (this.#closed || this.#queuedBytes <= belowBytes) return Promise.resolve()
    return new Promise((resolve) => this.#drainWaiters.push({ belowBytes, resolve }))
  }

  close(): void {
    this.#ending = true
    this.#wakeSender?.()
  }

  abort(error: Error): void {
    this.#stream.abort(error)
    this.#markClosed()
  }

  async #run(events: ChannelEvents): Promise<void> {
    const stream = this.#stream
    try {
      await pipe(
        this.#sendable(),
        messageStreamToDuplex(stream),
        (source) =>
          lengthPrefixed.decode(source, { maxDataLength: limits.frameBytesMax, maxLengthLength: 4 }),
        async (frames) => {
          for await (const frame of frames) {
            // A copy: a view would keep the whole packet alive as long as its receiver keeps the frame.
            const busy = events.onFrame(frame.slice())
            if (busy === undefined) continue
            if (stream.readStatus === 'readable') stream.pause()
            await Promise.race([busy, this.#whenClosed.promise])
            if (stream.readStatus === 'paused') stream.resume()
          }
        },
      )
      // The far side has ended; nothing that we still send would be read as an answer to anything.
      await withDeadline(this.#clock, closeMs, undefined, (signal) => stream.close({ signal }))
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#markClosed()
      events.onClose()
    }
  }

  async *#sendable(): AsyncGenerator<Uint8Array> {
    while (!this.#closed) {
      const first = this.#outgoing.shift()
      if (first === undefined) {
        if (this.#ending) return
        await new Promise<void>((resolve) => {
          this.#wakeSender = resolve
        })
        // Answers to requests of one packet come in one turn: sent one by one, each would be a write of its own.
        await nextTurn()
        continue
      }
      const batch = [first]
      let bytes = first.length
      for (let next = this.#outgoing[0]; next !== undefined; next = this.#outgoing[0]) {
        if (bytes + next.length > batchBytes) break
        batch.push(next)
        bytes += next.length
        this.#outgoing.shift()
      }
      const pieces = lengthPrefixed.encode(batch, { maxDataLength: limits.frameBytesMax })
      // A long frame goes as it lies there: to have its length before it in one piece would be to copy it.
      if (bytes > batchBytes) yield* pieces
      else yield concatBytes(...pieces)
      // Asked for more, so the stream has taken these.
      this.#queuedBytes = Math.max(0, this.#queuedBytes - bytes)
      this.#releaseWaiters()
    }
  }

  #releaseWaiters(): void {
    for (let i = this.#drainWaiters.length - 1; i >= 0; i--) {
      const waiter = this.#drainWaiters[i]
      if (waiter === undefined || (!this.#closed && this.#queuedBytes > waiter.belowBytes)) continue
      this.#drainWaiters.splice(i, 1)
      waiter.resolve()
    }
  }

  #markClosed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#outgoing.length = 0
    this.#queuedBytes = 0
    this.#wakeSender?.()
    this.#releaseWaiters()
    this.#whenClosed.resolve()
  }
}
