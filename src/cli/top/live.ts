import { setTimeout as sleep } from 'node:timers/promises'
import type { Rates, Sort } from '../../api/rates.ts'
import type { Paint } from '../../colours.ts'
import { press } from './keys.ts'
import type { Terminal } from './terminal.ts'
import { type Look, viewOf } from './view.ts'

export type AskRates = (sort: Sort, limit: number) => Promise<Rates>

const PERIOD_MS = 1_000

/** Shows what the daemon says, second by second, until somebody ends it; returns the exit code. Throws what `ask` throws. */
export async function showLive(terminal: Terminal, ask: AskRates, sort: Sort, paint: Paint): Promise<number> {
  const live = new Live(terminal, ask, sort, paint)
  try {
    return await live.run()
  } finally {
    live.close()
  }
}

class Live {
  readonly #terminal: Terminal
  readonly #ask: AskRates
  readonly #paint: Paint
  #look: Look
  #rates: Rates | undefined
  #isOver = false
  #pause = new AbortController()

  constructor(terminal: Terminal, ask: AskRates, sort: Sort, paint: Paint) {
    this.#terminal = terminal
    this.#ask = ask
    this.#paint = paint
    this.#look = { sort, section: 'all', isPaused: false, isHelp: false }
  }

  run(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#terminal.open({
        key: (key) => this.#press(key, () => resolve(0)),
        resized: () => this.#draw(),
        ended: resolve,
      })
      this.#draw()
      this.#follow().catch(reject)
    })
  }

  close(): void {
    this.#isOver = true
    this.#pause.abort()
    this.#terminal.close()
  }

  /** Paused it goes on asking, or the daemon would forget what went before. */
  async #follow(): Promise<void> {
    while (!this.#isOver) {
      const rates = await this.#ask(this.#look.sort, this.#terminal.size.rows)
      if (this.#isOver) return
      if (!this.#look.isPaused) this.#rates = rates
      this.#draw()
      this.#pause = new AbortController()
      await sleep(PERIOD_MS, undefined, { signal: this.#pause.signal }).catch(() => {})
    }
  }

  #press(key: string, quit: () => void): void {
    const look = press(key, this.#look)
    if (look === undefined) {
      quit()
      return
    }
    if (look.sort !== this.#look.sort) this.#pause.abort()
    this.#look = look
    this.#draw()
  }

  #draw(): void {
    const lines = viewOf(this.#rates, this.#look, this.#terminal.size)
    this.#terminal.draw(lines.map(({ text, style }) => this.#paint(text, style)))
  }
}
