import type { ReadStream, WriteStream } from 'node:tty'
import { keysIn } from './keys.ts'
import type { Size } from './view.ts'

/** The alternate screen, without a cursor; and back. */
const OPEN = '\x1b[?1049h\x1b[?25l'
const CLOSE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE_END = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const STATUS_OF = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export interface TerminalUser {
  key(key: string): void
  resized(): void
  /** By a signal, or because nobody is at the keyboard any more. */
  ended(status: number): void
}

/** The terminal in raw mode on its other screen, from `open` to `close`. */
export class Terminal {
  readonly #input: ReadStream
  readonly #output: WriteStream
  readonly #listeners: Disposer[] = []

  constructor(input: ReadStream, output: WriteStream) {
    this.#input = input
    this.#output = output
  }

  get size(): Size {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 }
  }

  open(user: TerminalUser): void {
    for (const signal of SIGNALS) this.#listen(process, signal, () => user.ended(STATUS_OF[signal]))
    this.#listen(this.#output, 'resize', () => user.resized())
    this.#listen(this.#output, 'error', () => user.ended(0))
    this.#listen(this.#input, 'end', () => user.ended(0))
    this.#listen(this.#input, 'error', () => user.ended(0))
    this.#listen(this.#input, 'data', (data) => {
      for (const key of keysIn(String(data))) user.key(key)
    })
    this.#input.setRawMode(true)
    this.#input.resume()
    this.#output.write(OPEN)
  }

  /** In one write, line over line, without clearing first: nothing flickers. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}${CLEAR_LINE_END}`).join('\r\n')
    this.#output.write(`${HOME}${text}${CLEAR_BELOW}`)
  }

  close(): void {
    for (const dispose of this.#listeners.splice(0)) dispose()
    this.#input.setRawMode(false)
    this.#input.pause()
    this.#output.write(CLOSE)
  }

  #listen(emitter: NodeJS.EventEmitter, event: string, listener: (data: unknown) => void): void {
    emitter.on(event, listener)
    this.#listeners.push(() => emitter.off(event, listener))
  }
}

type Disposer = () => void
