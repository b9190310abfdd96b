/** What the kernel has said, and what is done about it. */
export interface UpkeepParts {
  /** Another number than before: links, routes or rules changed. */
  readonly disturbances: () => number
  /** Looks whether all still stands, and mends what does not. Does not reject. */
  readonly mend: () => Promise<void>
}

const PERIOD_MS = 100
/** Of the time that a look takes: a host whose links or routes never rest costs a sixth of a processor, no more. */
const REST = 5

/** Has the network set-up looked after when something of the host's network is another than it was. */
export class Upkeep {
  readonly #parts: UpkeepParts
  #seen = 0
  #notBeforeMs = 0
  #isMending = false
  #timer: NodeJS.Timeout | undefined

  constructor(parts: UpkeepParts) {
    this.#parts = parts
  }

  start(): void {
    this.#seen = this.#parts.disturbances()
    this.#timer = setInterval(() => void this.#look(), PERIOD_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const beganMs = performance.now()
    const disturbances = this.#parts.disturbances()
    if (disturbances === this.#seen || this.#isMending || beganMs < this.#notBeforeMs) return
    this.#seen = disturbances
    this.#isMending = true
    await this.#parts.mend()
    this.#isMending = false
    const endedMs = performance.now()
    this.#notBeforeMs = endedMs + REST * (endedMs - beganMs)
  }
}
