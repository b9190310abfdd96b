import type { Listing, Source, SourceListener } from './source.ts'

/** How a source stands, as `onehop status` shows it. */
export interface SourceStatus {
  /** What it follows: `docker labels tier=web, socket /var/run/docker.sock`. */
  readonly source: string
  /** `starting`: nothing heard yet; `failing`: the last list it gave holds. */
  readonly state: 'starting' | 'ok' | 'failing'
  readonly sinceSeconds: number
  /** How long ago it last gave a list; undefined: never. */
  readonly lastSeconds: number | undefined
  readonly containers: number
  /** Why it fails. */
  readonly error: string | undefined
}

/** What of a source is worth a line in the log. */
export type SourceTurn = Pick<SourceStatus, 'source' | 'state' | 'error'>

export interface FeedTurn extends SourceTurn {
  /** Its list, or what it had to leave out, is another than before. */
  readonly isListed: boolean
  /** Its state or error is another than before. */
  readonly isTurned: boolean
}

export type OpenFeed<Item> = (listener: SourceListener<Item>) => Source

/** What a source has told, kept until it tells something else. */
export class Feed<Item> implements SourceListener<Item> {
  readonly #name: string
  readonly #count: (items: readonly Item[]) => number
  readonly #onTurn: (turn: FeedTurn) => void
  readonly #source: Source
  #listing: Listing<Item> = { items: [], problems: [] }
  #state: SourceStatus['state'] = 'starting'
  #error: string | undefined
  #sinceMs = performance.now()
  #lastMs: number | undefined
  #hear: () => void = () => {}
  /** Resolves with the first word of the source, good or bad, or when it is closed. */
  readonly heard = new Promise<void>((resolve) => {
    this.#hear = resolve
  })

  constructor(
    name: string,
    open: OpenFeed<Item>,
    count: (items: readonly Item[]) => number,
    onTurn: (turn: FeedTurn) => void,
  ) {
    this.#name = name
    this.#count = count
    this.#onTurn = onTurn
    this.#source = open(this)
  }

  get items(): readonly Item[] {
    return this.#listing.items
  }

  /** What it had to leave out, and why. */
  get problems(): readonly string[] {
    return this.#listing.problems
  }

  list(listing: Listing<Item>): void {
    const { items, problems } = this.#listing
    const isListed = !isEqual(listing.items, items) || !isEqual(listing.problems, problems)
    this.#lastMs = performance.now()
    this.#listing = listing
    this.#turn('ok', undefined, isListed)
  }

  fail(message: string): void {
    this.#turn('failing', message, false)
  }

  close(): void {
    this.#source.close()
    this.#hear()
  }

  status(): SourceStatus {
    return {
      source: this.#name,
      state: this.#state,
      sinceSeconds: secondsSince(this.#sinceMs),
      lastSeconds: this.#lastMs === undefined ? undefined : secondsSince(this.#lastMs),
      containers: this.#count(this.#listing.items),
      error: this.#error,
    }
  }

  #turn(state: SourceStatus['state'], error: string | undefined, isListed: boolean): void {
    const isTurned = state !== this.#state || error !== this.#error
    if (state !== this.#state) this.#sinceMs = performance.now()
    this.#state = state
    this.#error = error
    this.#hear()
    if (isTurned || isListed) this.#onTurn({ source: this.#name, state, error, isListed, isTurned })
  }
}

/** Lists hold texts and numbers only. */
const isEqual = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && JSON.stringify(a) === JSON.stringify(b)

const secondsSince = (ms: number): number => Math.round((performance.now() - ms) / 1000)
