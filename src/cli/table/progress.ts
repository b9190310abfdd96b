import type { Writable } from 'node:stream'
import { isTerminal } from '../context.ts'

const WIDTH = 30
const EVERY_MS = 100

/** A bar on standard error while something is done, on a terminal only. */
export class Progress {
  readonly #stream: Writable
  readonly #what: string
  readonly #total: number
  #drawnMs = Number.NEGATIVE_INFINITY

  constructor(stream: Writable, what: string, total: number) {
    this.#stream = stream
    this.#what = what
    this.#total = total
  }

  show(done: number): void {
    const now = performance.now()
    if (!isTerminal(this.#stream) || now - this.#drawnMs < EVERY_MS) return
    this.#drawnMs = now
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total)
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░')
    this.#stream.write(`\r${this.#what} ${bar} ${Math.floor(share * 100)} % (${done.toLocaleString('en')})`)
  }

  /** Leaves the line as it was before. */
  end(): void {
    if (this.#drawnMs > 0) this.#stream.write('\r\x1b[K')
  }
}
