import type { TableClock } from '../entries/translate.ts'
import type { Names } from '../table/record.ts'
import { type Rows, rowCount } from '../table/rows.ts'
import { LogFiles } from './files.ts'
import { encodeLogged, type LoggedScope, type LoggedState, type Note } from './record.ts'

export interface DecisionLogOptions {
  readonly folder: string
  readonly mostBytes: number
  readonly names: Names
  readonly clock: Pick<TableClock, 'zeroMs'>
  /** As they are now: what a file begins with. */
  readonly world: () => {
    readonly scopes: readonly LoggedScope[]
    readonly states: Readonly<Record<string, LoggedState>>
  }
  readonly nowMs?: () => number
}

export interface DecisionLogStatus {
  readonly path: string
  /** `current`: at most some two seconds behind; `failing`: it is tried again. */
  readonly state: 'current' | 'failing'
  readonly error?: string
  readonly bytes: number
  /** Changes that could not be logged. */
  readonly lost: number
}

const STEP_MS = 1_000
/** Twelve megabytes: what does not fit while the disk does not answer is counted. */
const MOST_WAITING_ROWS = 262_144
const MOST_WAITING = 10_000
const LAST_STEP_MS = 500

interface Waiting {
  readonly note: Note
  readonly rows?: Rows
  /** Of a container that turned: how it stood before. */
  readonly was?: LoggedState | undefined
}

/**
 * Keeps on disk what was decided, as changes: which source came to which container when, and when that ended; with how
 * containers stood. It is written once a second, away from the event loop. Nothing here throws: one that fails says so.
 */
export class DecisionLog {
  readonly #options: DecisionLogOptions
  readonly #files: LogFiles
  readonly #nowMs: () => number
  #waiting: Waiting[] = []
  #rows = 0
  #lost = 0
  #lostSince = 0
  #error: string | undefined
  #lookedMs = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: DecisionLogOptions) {
    this.#options = options
    this.#files = new LogFiles(options.folder, options.mostBytes)
    this.#nowMs = options.nowMs ?? Date.now
  }

  start(): void {
    this.note({ kind: 'start', at: this.#nowMs() })
    this.#timer = setInterval(() => void this.flush(), STEP_MS)
  }

  /** Rows that are changes. */
  onChanges(rows: Rows): void {
    if (this.#rows + rowCount(rows) > MOST_WAITING_ROWS) {
      this.onLost(rowCount(rows))
      return
    }
    this.#rows += rowCount(rows)
    this.#add({ note: { kind: 'changes', at: this.#nowMs() }, rows })
  }

  onLost(count: number): void {
    this.#lost += count
    this.#lostSince += count
  }

  /** Undefined: there is no such container. */
  turned(container: string, was: LoggedState | undefined, state: LoggedState | undefined): void {
    const known = state === undefined ? {} : { state }
    this.#add({ note: { kind: 'state', at: this.#nowMs(), container, ...known }, was })
  }

  /** The services are others. */
  reorder(): void {
    this.note({ kind: 'scopes', at: this.#nowMs(), scopes: this.#options.world().scopes })
  }

  note(note: Note): void {
    this.#add({ note })
  }

  /** Resolves when what was given until now is on the disk, or cannot be. */
  flush(): Promise<void> {
    this.#lookAtClock()
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  status(): DecisionLogStatus {
    return {
      path: this.#options.folder,
      state: this.#error === undefined ? 'current' : 'failing',
      ...(this.#error === undefined ? {} : { error: this.#error }),
      bytes: this.#files.bytes,
      lost: this.#lost,
    }
  }

  /** Writes what is left, if the disk lets it in half a second. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.note({ kind: 'stop', at: this.#nowMs() })
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_STEP_MS).unref())
    await Promise.race([this.flush().then(() => this.#files.close()), late])
  }

  /** One that was set back is noted, for what was logged is then before moments that come again. */
  #lookAtClock(): void {
    const at = this.#nowMs()
    if (at < this.#lookedMs) this.note({ kind: 'clock', at })
    this.#lookedMs = at
  }

  #add(waiting: Waiting): void {
    if (this.#waiting.length >= MOST_WAITING)
      this.onLost(waiting.rows === undefined ? 1 : rowCount(waiting.rows))
    else this.#waiting.push(waiting)
  }

  async #write(): Promise<void> {
    const taken = [...this.#waiting]
    const [rows, lost] = [this.#rows, this.#lostSince]
    if (taken.length + lost === 0) return
    try {
      await this.#files.append(await this.#encode(taken, lost))
      this.#waiting = this.#waiting.slice(taken.length)
      this.#rows -= rows
      this.#lostSince -= lost
      this.#error = undefined
    } catch (error) {
      this.#error = (error as Error).message
    }
  }

  async #encode(taken: readonly Waiting[], lost: number): Promise<Buffer> {
    const at = taken[0]?.note.at ?? this.#nowMs()
    const all = [
      ...(this.#files.isAtBegin ? this.#world(at) : []),
      ...taken,
      ...(lost === 0 ? [] : [{ note: { kind: 'lost', at: this.#nowMs(), count: lost } as const }]),
    ]
    const parts: Buffer[] = []
    for (const { note, rows } of all)
      parts.push(await encodeLogged(note, rows, this.#options.names, this.#options.clock.zeroMs()))
    return Buffer.concat(parts)
  }

  /** How containers stood before the first turn that waits. */
  #world(at: number): readonly Waiting[] {
    const { scopes, states: now } = this.#options.world()
    const states: Record<string, LoggedState> = { ...now }
    for (const { note, was } of this.#waiting.toReversed())
      if (note.kind !== 'state') continue
      else if (was === undefined) delete states[note.container]
      else states[note.container] = was
    return [{ note: { kind: 'scopes', at, scopes } }, { note: { kind: 'containers', at, states } }]
  }
}
