import { readdirSync, renameSync } from 'node:fs'
import type { Logger } from 'pino'
import type { TableClock } from '../entries/translate.ts'
import type { Scopes } from '../scope.ts'
import type { ChangeBatch } from '../table/change-log.ts'
import { decodeRecord, encodeRecord, isUnreadable, type Names } from '../table/record.ts'
import { type Rows, rowCount } from '../table/rows.ts'
import { type Restored, Restorer, type RestoringTable, SEEN_LATE_SECONDS } from './restorer.ts'
import { type StoreFailure, StoreProcess } from './store-process.ts'

export interface StoredTable extends RestoringTable {
  rows(cursor: number, most: number): { readonly next: number; readonly rows: Rows }
  changes(position: number, most: number): ChangeBatch
  counters(): { readonly table: { readonly entries: number } }
}

export interface StoreOptions {
  readonly path: string
  readonly table: StoredTable
  readonly names: Names
  readonly clock: TableClock
  readonly log: Logger
}

export interface StoreStatus {
  readonly path: string
  /** `current`: at most a second behind; `failing`: packets go on, and it is tried again. */
  readonly state: 'current' | 'failing'
  readonly error?: string
  /** How long it has been failing. */
  readonly failingSeconds?: number
  /** At the start. */
  readonly restored: number
  readonly dropped: number
  readonly noRoom: number
  /** Where files are that could not be read at the start. */
  readonly setAside?: string
}

const STEP_MS = 250
const RETRY_MS = 2_000
const PATIENCE_MS = 5_000
const LAST_STEP_MS = 500
const ROWS_A_RECORD = 32_768
/** The table is written anew when its changes fill more than it does, and in time for what was last seen. */
const LEAST_CHANGES = 262_144
const REWRITE_MS = SEEN_LATE_SECONDS * 1000

/**
 * Keeps a copy of the table on disk, within a second: follows the changes and hands them to a process of its own (why:
 * process.ts). When it has lost touch, for whatever reason, it writes the whole table anew. Nothing here throws: a store
 * that fails says so in its status.
 */
export class Store {
  readonly #options: StoreOptions
  #process: StoreProcess | undefined
  #restored: Restored = { entries: 0, dropped: 0, noRoom: 0 }
  /** Why files could not be read that still stand in the way. */
  #unreadable: StoreFailure | undefined
  #setAside: string | undefined
  #failure: { readonly message: string; readonly sinceMs: number } | undefined
  #position = 0
  #changes = 0
  #rewrittenMs = 0
  #mustRewrite = true
  #hasBegun = false
  #isClosed = false
  #following: Promise<void> = Promise.resolve()
  #wake: () => void = () => {}

  constructor(options: StoreOptions) {
    this.#options = options
  }

  /** Puts into the table what is stored of the known scopes' containers. Resolves when the first packet may come. */
  async restore(known: Scopes): Promise<void> {
    const { path, table, clock, log } = this.#options
    if (isEmpty(path)) return
    const startMs = performance.now()
    const restorer = new Restorer(table, known, clock)
    try {
      await this.#running().ask({ kind: 'read' }, (bytes) => {
        const record = decodeRecord(bytes)
        if (!isUnreadable(record)) restorer.add(record)
      })
    } catch (error) {
      await this.#blame(error as StoreFailure)
    }
    this.#restored = restorer.result(table.counters().table.entries)
    const tookMs = Math.round(performance.now() - startMs)
    log.info({ store: path, ...this.#restored, tookMs }, 'restored the table')
  }

  /** Begins to follow the table. */
  start(): void {
    this.#following = this.#follow()
  }

  status(): StoreStatus {
    const { entries, dropped, noRoom } = this.#restored
    const failure = this.#failure ?? this.#impatience()
    return {
      path: this.#options.path,
      state: failure === undefined ? 'current' : 'failing',
      ...(failure && {
        error: failure.message,
        failingSeconds: Math.round((performance.now() - failure.sinceMs) / 1000),
      }),
      restored: entries,
      dropped,
      noRoom,
      ...(this.#setAside === undefined ? {} : { setAside: this.#setAside }),
    }
  }

  /** Writes what is left to write, if the disk lets it in half a second, and ends. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake()
    await Promise.race([this.#following.then(() => this.#process?.close()), sleep(LAST_STEP_MS)])
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      await this.#attempt()
      await this.#pause(this.#failure === undefined ? STEP_MS : RETRY_MS)
    }
    await this.#attempt()
  }

  async #attempt(): Promise<void> {
    try {
      await this.#step()
      if (this.#failure !== undefined)
        this.#options.log.info({ store: this.#options.path }, 'the store is written again')
      this.#failure = undefined
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  async #step(): Promise<void> {
    if (this.#unreadable !== undefined) await this.#makeWay(this.#unreadable)
    if (this.#process?.hasEnded) this.#mustRewrite = true
    await this.#drain()
    const { entries } = this.#options.table.counters().table
    const isOld = performance.now() - this.#rewrittenMs > REWRITE_MS
    if (this.#mustRewrite || isOld || this.#changes > Math.max(LEAST_CHANGES, entries)) await this.#rewrite()
  }

  /** Changes since the last time, to the file under way. Lost ones, and those before there is a file, are in the next. */
  async #drain(): Promise<void> {
    for (;;) {
      const { next, rows, isLost } = this.#options.table.changes(this.#position, ROWS_A_RECORD)
      this.#position = next
      if (isLost) this.#mustRewrite = true
      if (rowCount(rows) === 0) return
      if (!this.#mustRewrite) await this.#append(rows)
      this.#changes += rowCount(rows)
    }
  }

  /** Changes made meanwhile follow the page that is being read: what they say of an entry counts. */
  async #rewrite(): Promise<void> {
    await this.#running().ask({ kind: 'begin', isAfresh: this.#hasBegun })
    this.#hasBegun = true
    this.#mustRewrite = false
    this.#changes = 0
    let cursor = 0
    do {
      const { next, rows } = this.#options.table.rows(cursor, ROWS_A_RECORD)
      if (rowCount(rows) > 0) await this.#append(rows)
      await this.#drain()
      if (this.#mustRewrite) return
      cursor = next
    } while (cursor !== 0)
    await this.#running().ask({ kind: 'complete' })
    this.#rewrittenMs = performance.now()
  }

  #append(rows: Rows): Promise<void> {
    const { names, clock } = this.#options
    return this.#running().ask({ kind: 'append', record: encodeRecord(rows, names, clock.zeroMs()) })
  }

  #running(): StoreProcess {
    if (this.#process === undefined || this.#process.hasEnded)
      this.#process = new StoreProcess(this.#options.path)
    return this.#process
  }

  #fail(error: Error): void {
    this.#mustRewrite = true
    if (this.#failure === undefined)
      this.#options.log.error(
        { store: this.#options.path, error: error.message },
        'the store cannot be written; packets go on, and it is tried again',
      )
    this.#failure = { message: error.message, sinceMs: this.#failure?.sinceMs ?? performance.now() }
  }

  async #blame(failure: StoreFailure): Promise<void> {
    try {
      if (!failure.isFault) throw failure
      this.#unreadable = failure
      await this.#makeWay(failure)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Files that cannot be read make way for new ones, but are kept for whoever may want to look. Throws when they cannot. */
  async #makeWay(unreadable: StoreFailure): Promise<void> {
    const { path, log } = this.#options
    await this.#process?.close()
    const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(/[-:]|\..*/g, '')}`
    try {
      renameSync(path, aside)
    } catch (error) {
      throw new Error(`${unreadable.message}; cannot be set aside: ${(error as Error).message}`)
    }
    this.#unreadable = undefined
    this.#setAside = aside
    log.error(
      { store: path, error: unreadable.message, setAside: aside },
      'the store cannot be read: it was set aside and a new one is begun; remove it when nobody wants to look at it',
    )
  }

  /** An answer that does not come is as good as a failure. */
  #impatience(): { readonly message: string; readonly sinceMs: number } | undefined {
    const waitingMs = this.#process?.waitingMs ?? 0
    if (waitingMs < PATIENCE_MS) return undefined
    return {
      message: `${this.#options.path}: the disk does not answer`,
      sinceMs: performance.now() - waitingMs,
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#isClosed ? 0 : ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function isEmpty(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
