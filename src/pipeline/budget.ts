/** ICMP errors per second at most, as RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 (f) ask for. */
export const ERRORS_PER_SECOND = 1000

/** Counts the errors of one second. */
export class ErrorBudget {
  #second = -1
  #spent = 0

  /** True when one more may be sent in the second `now`. */
  take(now: number): boolean {
    if (now !== this.#second) {
      this.#second = now
      this.#spent = 0
    }
    return this.#spent++ < ERRORS_PER_SECOND
  }
}
