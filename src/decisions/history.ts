import { type Address, lengthOf, maskAddress } from '../address.ts'
import {
  changeOf,
  containerOf,
  formerOf,
  makeRows,
  originOf,
  ROW_WORDS,
  type Rows,
  rowCount,
  scopeOf,
  sinceOf,
  type TableChange,
  writeGone,
} from '../table/rows.ts'
import type { Origin } from '../table/table.ts'
import type { Logged, LoggedScope, LoggedState } from './record.ts'

/** A change of a source's entry, with names. */
export interface Step {
  readonly at: number
  readonly change: TableChange
  /** Undefined: it has no entry from here on. */
  readonly container: string | undefined
  readonly former: string | undefined
  readonly origin: Origin
  /** Since when it is at this container; undefined: longer than the log goes back. */
  readonly since: number | undefined
  /** How the former container stood. */
  readonly formerState: LoggedState | undefined
}

/** What the log knows of a source in one scope, around a moment. */
export interface Past {
  readonly scope: LoggedScope
  /** Masked as it counts there. */
  readonly source: Address
  /** The last change until then, and the first after it. */
  readonly before: Step | undefined
  readonly after: Step | undefined
  /** Changes were lost between `before` and the moment, and nothing later confirms it. */
  readonly isDoubtful: boolean
}

interface Place {
  readonly scope: LoggedScope
  readonly source: Address
  readonly key: Rows
  before: Step | undefined
  after: Step | undefined
  isDoubtful: boolean
  /** As far as the log has been read. */
  latest: Step | undefined
  isLatestDoubtful: boolean
}

const GONE = 'gone'

/**
 * Reads the log from its beginning and keeps what there is to say of one source at one moment. What counts is the order of
 * the log: a clock that was set back has the same moment twice, and the later one is meant.
 */
export class History {
  readonly #source: Address
  readonly #atMs: number
  readonly #places = new Map<string, Place>()
  #states: Readonly<Record<string, LoggedState>> = {}
  readonly #turned = new Map<string, LoggedState | typeof GONE>()
  /** As of the moment. */
  #statesThen: Readonly<Record<string, LoggedState>> = {}
  #turnedThen: ReadonlyMap<string, LoggedState | typeof GONE> = new Map()
  #isCopied = true
  /** What was read last is after the moment. */
  #isBeyond = false
  /** Of the log: its earliest record and its latest. */
  from: number | undefined
  to: number | undefined
  /** At the moment. */
  isAtWork = false
  damaged = 0
  lost = 0

  constructor(source: Address, atMs: number) {
    this.#source = source
    this.#atMs = atMs
  }

  add(logged: Logged | 'damaged'): void {
    if (logged === 'damaged') {
      this.damaged++
      this.#doubt()
      return
    }
    const { note, table } = logged
    this.from = Math.min(this.from ?? note.at, note.at)
    this.to = Math.max(this.to ?? note.at, note.at)
    if (note.at <= this.#atMs && this.#isBeyond) this.#comeBack()
    this.#take(logged)
    if (table !== undefined) this.#takeRows(note.at, table)
    this.#isBeyond = note.at > this.#atMs
    if (this.#isBeyond) return
    this.#statesThen = this.#states
    if (this.#isCopied) return
    this.#turnedThen = new Map(this.#turned)
    this.#isCopied = true
  }

  /** In each scope that the source was or could be known in. */
  pasts(): readonly Past[] {
    return [...this.#places.values()].map(({ scope, source, before, after, isDoubtful }) => ({
      ...{ scope, source, before, after },
      isDoubtful: isDoubtful && (after === undefined || after.former !== before?.container),
    }))
  }

  /** How a container stood at the moment; `gone`: there was none. */
  stateThen(container: string): LoggedState | typeof GONE {
    return this.#turnedThen.get(container) ?? this.#statesThen[container] ?? GONE
  }

  #take({ note }: Logged): void {
    const isPast = note.at <= this.#atMs
    switch (note.kind) {
      case 'start':
      case 'stop':
        if (isPast) this.isAtWork = note.kind === 'start'
        return
      case 'scopes':
        for (const scope of note.scopes) this.#place(scope)
        return
      case 'containers':
        this.#states = note.states
        this.#turned.clear()
        this.#isCopied = false
        return
      case 'state':
        this.#turned.set(note.container, note.state ?? GONE)
        this.#isCopied = false
        return
      case 'lost':
        this.lost += note.count
        this.#doubt()
    }
  }

  #doubt(): void {
    for (const place of this.#places.values()) {
      place.isLatestDoubtful = place.latest !== undefined
      if (!this.#isBeyond) place.isDoubtful = place.isLatestDoubtful
    }
  }

  /** The clock was set back: what has been read until here was before the moment after all. */
  #comeBack(): void {
    for (const place of this.#places.values()) {
      place.before = place.latest
      place.isDoubtful = place.isLatestDoubtful
      place.after = undefined
    }
  }

  /** Another prefix length makes other entries. */
  #place(scope: LoggedScope): void {
    const source = maskAddress(this.#source, lengthOf(this.#source, scope))
    const known = this.#places.get(scope.name)
    if (known?.source === source) return
    const key = makeRows(1)
    writeGone(key, 0, { scope: 0, source })
    this.#places.set(scope.name, {
      scope,
      source,
      key,
      before: undefined,
      after: undefined,
      latest: undefined,
      isDoubtful: false,
      isLatestDoubtful: false,
    })
  }

  #takeRows(at: number, { rows, scopes, containers, zeroMs }: NonNullable<Logged['table']>): void {
    const wanted = new Map(
      [...scopes].flatMap(([id, name]) => {
        const place = this.#places.get(name)
        return place === undefined ? [] : [[id, place] as const]
      }),
    )
    if (wanted.size === 0) return
    for (let row = 0; row < rowCount(rows); row++) {
      const place = wanted.get(scopeOf(rows, row))
      if (place !== undefined && isOf(rows, row, place.key))
        this.#step(place, at, rows, row, containers, zeroMs)
    }
  }

  #step(
    place: Place,
    at: number,
    rows: Rows,
    row: number,
    names: ReadonlyMap<number, string>,
    zeroMs: number,
  ): void {
    const change = changeOf(rows, row)
    const isGone = change === 'idle' || change === 'forgotten'
    const container = isGone ? undefined : (names.get(containerOf(rows, row)) ?? '')
    const former = formerOf(rows, row) === 0 ? undefined : (names.get(formerOf(rows, row)) ?? '')
    const earlier = place.latest
    const stays = former !== undefined && former === container
    const began = change === 'put' ? Math.min(at, zeroMs + sinceOf(rows, row) * 1_000) : at
    const step: Step = {
      at,
      change,
      container,
      former,
      origin: originOf(rows, row),
      since: stays ? (earlier?.container === container ? earlier.since : undefined) : began,
      formerState: former === undefined ? undefined : this.#stateNow(former),
    }
    Object.assign(place, { latest: step, isLatestDoubtful: false })
    if (at <= this.#atMs) Object.assign(place, { before: step, isDoubtful: false })
    else place.after ??= step
  }

  #stateNow(container: string): LoggedState | undefined {
    const turned = this.#turned.get(container)
    return turned === GONE ? undefined : (turned ?? this.#states[container])
  }
}

/** The same source; scopes have other numbers in each record. */
function isOf(rows: Rows, row: number, key: Rows): boolean {
  for (let word = 0; word < 4; word++) if (rows[row * ROW_WORDS + word] !== key[word]) return false
  return ((rows[row * ROW_WORDS + 4]! ^ key[4]!) & 1) === 0
}
