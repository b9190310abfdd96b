import type { Event, EventBody, EventFilter } from './event.ts'
import { isWanted } from './filter.ts'

/** Events of a kind that are told one by one, a second; of the others their number is told at its end. */
export const MOST_A_SECOND = 100
/** Kept for readers that come back; up to twice as many. */
export const MOST_KEPT = 2_048
const SECOND_MS = 1_000

export interface EventClock {
  /** The wall's, which may be set. */
  nowMs(): number
  /** Calls `act` once after `ms`; what it returns calls that off. */
  after(ms: number, act: () => void): () => void
}

export interface Kept {
  readonly events: readonly Event[]
  /** Events after the position that are no longer, or were never, here. */
  readonly isGap: boolean
}

/**
 * What has happened, in order. Numbers begin where no daemon before this one can have been, so that a reader who comes back
 * after a restart learns that he has missed something. Writing waits for nobody: readers keep a position each.
 */
export class EventBus {
  readonly #clock: EventClock
  #kept: Event[] = []
  #lastId: number
  #lastMs = 0
  /** In the second under way. */
  readonly #told = new Map<string, number>()
  readonly #left = new Map<string, number>()
  #cancel: (() => void) | undefined
  #wake: PromiseWithResolvers | undefined

  constructor(clock: EventClock) {
    this.#clock = clock
    this.#lastId = clock.nowMs() * 1_000
  }

  get lastId(): number {
    return this.#lastId
  }

  /** How many of a kind may be told yet in this second. */
  room(kind: string): number {
    return Math.max(0, MOST_A_SECOND - (this.#told.get(kind) ?? 0))
  }

  /** `kind`: what shares a bound. */
  tell(event: EventBody, kind: string = event.type): void {
    if (this.room(kind) === 0) {
      this.leaveOut(event)
      return
    }
    this.#told.set(kind, (this.#told.get(kind) ?? 0) + 1)
    this.#begin()
    this.#keep(event)
  }

  leaveOut({ type, change }: { readonly type: string; readonly change: string }, count = 1): void {
    if (count === 0) return
    this.#left.set(`${type} ${change}`, (this.#left.get(`${type} ${change}`) ?? 0) + count)
    this.#begin()
  }

  /** Up to `most` events after a position that somebody wants, and the position to go on from. */
  after(position: number, filter: EventFilter, most: number): Kept & { readonly next: number } {
    const first = this.#kept[0]?.id ?? this.#lastId + 1
    const isGap = position < first - 1 || position > this.#lastId
    const start = Math.min(Math.max(0, position + 1 - first), this.#kept.length)
    const events: Event[] = []
    let at = start
    for (; at < this.#kept.length && events.length < most; at++)
      if (isWanted(this.#kept[at]!, filter)) events.push(this.#kept[at]!)
    return { events, isGap, next: first + at - 1 }
  }

  /** Resolves at the next event. */
  next(): Promise<void> {
    this.#wake ??= withResolvers()
    return this.#wake.promise
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#release()
  }

  #begin(): void {
    this.#cancel ??= this.#clock.after(SECOND_MS, () => this.#end())
  }

  #end(): void {
    this.#cancel = undefined
    this.#told.clear()
    if (this.#left.size === 0) return
    const counts = Object.fromEntries(this.#left)
    this.#left.clear()
    this.#keep({ type: 'more', change: 'left out', counts })
  }

  /** A clock that is set back makes no event older than the one before it. */
  #keep(event: EventBody): void {
    this.#lastMs = Math.max(this.#lastMs, this.#clock.nowMs())
    const id = ++this.#lastId
    this.#kept.push({ id, at: new Date(this.#lastMs).toISOString(), ...event })
    if (this.#kept.length > 2 * MOST_KEPT) this.#kept.splice(0, MOST_KEPT)
    this.#release()
  }

  #release(): void {
    this.#wake?.resolve()
    this.#wake = undefined
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>
  readonly resolve: () => void
}

/** Promise.withResolvers comes with Node 22. */
function withResolvers(): PromiseWithResolvers {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
