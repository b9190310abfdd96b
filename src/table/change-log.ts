import { makeRows, ROW_WORDS, type Rows, sliceRows } from './rows.ts'

export interface ChangeBatch {
  /** The position to go on from. */
  readonly next: number
  readonly rows: Rows
  /** Changes were overwritten before they were read: none is here, and `next` is where newer ones begin. */
  readonly isLost: boolean
}

const LEAST = 64
const MOST = 65_536

/**
 * What became of the entries, in order, for whoever keeps a copy of them: the last so many changes. Any number of
 * readers keep a position of their own; one that fell behind so far that changes were overwritten learns that, and has
 * to read the whole table again.
 */
export class ChangeLog {
  readonly #changes: Rows
  readonly #capacity: number
  #ended = 0

  /** Keeps as many changes as there can be entries, rounded up to a power of two, at most 65,536. */
  constructor(entries: number) {
    this.#capacity = Math.min(MOST, Math.max(LEAST, 2 ** Math.ceil(Math.log2(entries))))
    this.#changes = makeRows(this.#capacity)
  }

  /** `write` writes the change into row `row` of `rows`. */
  add(write: (rows: Rows, row: number) => void): void {
    write(this.#changes, this.#ended++ % this.#capacity)
  }

  /** The changes from a position on, 0 being the first ever, as many as there are, at most `most`. */
  read(position: number, most: number): ChangeBatch {
    if (this.#ended > position + this.#capacity) return { next: this.#ended, rows: makeRows(0), isLost: true }
    const count = Math.max(0, Math.min(most, this.#ended - position))
    const rows = makeRows(count)
    for (let i = 0; i < count; i++) {
      const at = (position + i) % this.#capacity
      rows.set(sliceRows(this.#changes, at, at + 1), i * ROW_WORDS)
    }
    return { next: position + count, rows, isLost: false }
  }
}
