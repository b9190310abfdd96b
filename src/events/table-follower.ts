import type { ChangeBatch } from '../table/change-log.ts'
import { type Rows, rowCount } from '../table/rows.ts'

export interface FollowedTable {
  changes(position: number, most: number): ChangeBatch
}

export interface FollowListener {
  onChanges(rows: Rows): void
  /** So many were overwritten before they were read. */
  onLost(count: number): void
}

const STEP_MS = 250
const ROWS_AT_ONCE = 32_768

/** Reads what becomes of the table's entries, four times a second. */
export class TableFollower {
  readonly #table: FollowedTable
  readonly #listener: FollowListener
  #position = 0
  #timer: NodeJS.Timeout | undefined

  constructor(table: FollowedTable, listener: FollowListener) {
    this.#table = table
    this.#listener = listener
  }

  /** From what happens next on: what was restored has not happened now. */
  start(): void {
    this.#read(() => {})
    this.#timer = setInterval(() => this.step(), STEP_MS)
  }

  /** Everything until now. */
  step(): void {
    this.#read((rows) => this.#listener.onChanges(rows))
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#timer !== undefined) this.step()
    this.#timer = undefined
  }

  #read(take: (rows: Rows) => void): void {
    for (;;) {
      const { next, rows, isLost } = this.#table.changes(this.#position, ROWS_AT_ONCE)
      if (isLost && this.#timer !== undefined) this.#listener.onLost(next - this.#position)
      this.#position = next
      if (rowCount(rows) === 0) return
      take(rows)
    }
  }
}
