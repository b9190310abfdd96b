import type { Logger } from 'pino'
import { messageOf } from '../errors.ts'

/** What to close, last opened first, so that a start that fails half-way is undone like a whole one. */
export class Opened {
  readonly #closers: (() => unknown)[] = []
  /** What stands for clients is another daemon's from now on, and stays. */
  isLeft = false

  onClose(close: () => unknown): void {
    this.#closers.push(close)
  }

  /** One that fails keeps none of the others from being closed. */
  async closeAll(log: Logger): Promise<void> {
    for (const close of this.#closers.splice(0).reverse())
      try {
        await close()
      } catch (error) {
        log.error({ error: messageOf(error) }, 'could not undo all')
      }
  }
}
