import { Readable } from 'node:stream'
import { OnehopError } from '../errors.ts'
import type { EventBus } from './bus.ts'
import type { Event, EventFilter } from './event.ts'

export interface EventRequest extends EventFilter {
  /** The last event that the reader knows; undefined: he begins now. */
  readonly since: number | undefined
}

export const MOST_READERS = 16
/** The most that waits for a reader's socket, besides what the system keeps for it. */
const EVENTS_AT_ONCE = 128
const HEARTBEAT_MS = 15_000
/** A reader who takes nothing for so long, and is offered something, is sent away; after twice as long without a word. */
const PATIENCE_MS = 30_000

/** Who may listen, and how it is told: server-sent events (HTML Living Standard, section 9.2). */
export class EventOperator {
  readonly #bus: EventBus
  readonly #heartbeatMs: number
  readonly #patienceMs: number
  readonly #readers = new Map<EventFilter, Readable>()

  constructor(bus: EventBus, { heartbeatMs = HEARTBEAT_MS, patienceMs = PATIENCE_MS } = {}) {
    this.#bus = bus
    this.#heartbeatMs = heartbeatMs
    this.#patienceMs = patienceMs
  }

  /** What readers wait for. */
  get filters(): Iterable<EventFilter> {
    return this.#readers.keys()
  }

  /** Throws E_INPUT when as many listen as may. */
  stream(request: EventRequest): Readable {
    if (this.#readers.size >= MOST_READERS)
      throw new OnehopError('E_INPUT', `${MOST_READERS} readers listen already; expected one of them to end`)
    const seen = { ms: performance.now() }
    const stream = Readable.from(this.#tell(request, seen), { objectMode: false, highWaterMark: 1 })
    const overdue = setInterval(() => {
      if (performance.now() - seen.ms > 2 * this.#patienceMs) stream.destroy()
    }, this.#patienceMs / 4)
    this.#readers.set(request, stream)
    stream.once('close', () => {
      clearInterval(overdue)
      this.#readers.delete(request)
    })
    return stream
  }

  close(): void {
    for (const stream of this.#readers.values()) stream.destroy()
    this.#bus.close()
  }

  /** Is asked for more when what it gave has left; so nothing is kept for a slow reader but his position. */
  async *#tell(request: EventRequest, seen: { ms: number }): AsyncGenerator<string> {
    let position = request.since ?? this.#bus.lastId
    yield 'retry: 2000\n: onehop events\n\n'
    for (;;) {
      const tookMs = performance.now() - seen.ms
      seen.ms = performance.now()
      const { events, isGap, next } = this.#bus.after(position, request, EVENTS_AT_ONCE)
      if (isGap) yield gap(position)
      position = next
      if (tookMs > this.#patienceMs) return yield cut(position)
      if (events.length > 0) yield events.map(encode).join('')
      if (position === this.#bus.lastId && !(await this.#happens())) yield ': still here\n\n'
    }
  }

  /** Whether something did before it is time for a sign of life. */
  async #happens(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#heartbeatMs)
    })
    const happened = await Promise.race([this.#bus.next().then(() => true as const), late])
    clearTimeout(timer)
    return happened
  }
}

const encode = (event: Event): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** It has no number: it is this reader's alone. */
const gap = (since: number): string =>
  `event: gap\ndata: ${JSON.stringify({ type: 'gap', change: 'missed', since, why: 'older events are no longer kept' })}\n\n`

const cut = (since: number): string =>
  `event: cut\ndata: ${JSON.stringify({ type: 'cut', change: 'too slow', since, why: 'nothing was taken for too long' })}\n\n`
