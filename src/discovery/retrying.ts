const FIRST_MS = 100
const LONGEST_MS = 10_000

/**
 * Calls `attempt` until it is closed: at once, and again after each end of it, whether that was a failure or a connection
 * lost. Waits grow from 0.1 s to 10 s, each anywhere between half and the whole of it, so that many who lost the same
 * connection do not return at the same moment; `attempt` calls `hasWorked` to begin with the shortest again.
 */
export class Retrying {
  readonly #attempt: (signal: AbortSignal, hasWorked: () => void) => Promise<never>
  readonly #onFailure: (error: unknown) => void
  readonly #random: () => number
  readonly #closing = new AbortController()
  #failures = 0
  #timer: NodeJS.Timeout | undefined

  /** `attempt` rejects when it ends; what it rejects with after `signal` is raised is nobody's concern. */
  constructor(
    attempt: (signal: AbortSignal, hasWorked: () => void) => Promise<never>,
    onFailure: (error: unknown) => void,
    random: () => number = Math.random,
  ) {
    this.#attempt = attempt
    this.#onFailure = onFailure
    this.#random = random
    this.#try()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#closing.abort()
  }

  #try(): void {
    const { signal } = this.#closing
    const hasWorked = () => {
      this.#failures = 0
    }
    this.#attempt(signal, hasWorked).catch((error: unknown) => {
      if (signal.aborted) return
      this.#onFailure(error)
      this.#timer = setTimeout(() => this.#try(), backoffMs(this.#failures++, this.#random()))
    })
  }
}

/** How long to wait after `failures` in a row; `random` from 0 to 1. */
export const backoffMs = (failures: number, random: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 16)) * (0.5 + random / 2)
