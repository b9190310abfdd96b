import { setTimeout as sleep } from 'node:timers/promises'
import type { DataPlane, Taken, WatchOptions } from '../dataplane/dataplane.ts'
import { decodeSightings, type Sighting } from './sighting.ts'

/** What ends a watch by itself. */
export interface WatchBounds {
  readonly packets: number
  readonly ms: number
}

export interface Seen extends Omit<Taken, 'records'> {
  readonly sightings: readonly Sighting[]
}

const TICK_MS = 20
/** Together with a tick, what the control plane spends on a watch at a time. */
const MOST_BYTES_AT_ONCE = 1 << 20
/** A reader who takes nothing for so long is taken for dead: what is watched is off the fast path. */
const PATIENCE_MS = 10_000

/** A watch from its opening to its end. Nothing is taken out unless it is asked for, so a slow reader costs no memory. */
export class Watching {
  readonly #dataPlane: Pick<DataPlane, 'take' | 'unwatch'>
  readonly #number: number
  readonly #bounds: WatchBounds
  readonly #overdue: NodeJS.Timeout
  #askedMs = performance.now()
  #isClosed = false

  /** Throws E_INPUT when as many are at work as may be. `onOverdue`: the reader is to be sent away. */
  constructor(
    dataPlane: Pick<DataPlane, 'watch' | 'take' | 'unwatch'>,
    options: WatchOptions,
    bounds: WatchBounds,
    onOverdue: () => void,
  ) {
    this.#dataPlane = dataPlane
    this.#number = dataPlane.watch(options)
    this.#bounds = bounds
    this.#overdue = setInterval(() => {
      if (performance.now() - this.#askedMs > PATIENCE_MS) onOverdue()
    }, PATIENCE_MS / 10)
  }

  /** Batches of packets as they come, empty ones never, until a bound is reached or it is closed. */
  async *batches(): AsyncGenerator<Seen> {
    const end = performance.now() + this.#bounds.ms
    let left = this.#bounds.packets
    while (!this.#isClosed && left > 0 && performance.now() < end) {
      this.#askedMs = performance.now()
      const { records, ...counts } = this.#dataPlane.take(this.#number, MOST_BYTES_AT_ONCE)
      const sightings = decodeSightings(records).slice(0, left)
      left -= sightings.length
      if (sightings.length > 0) yield { sightings, ...counts }
      if (records.length < MOST_BYTES_AT_ONCE / 2) await sleep(TICK_MS)
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#overdue)
    this.#dataPlane.unwatch(this.#number)
  }
}
