import type { Address } from '../address.ts'
import type { EngineForecast } from '../dataplane/dataplane.ts'
import { JUDGEMENT_WORDS, judgedContainer } from '../pipeline/forecast.ts'
import { bytesOf, containerOf, packetsOf, type Rows, seenOf, sourceOf } from '../table/rows.ts'
import type { Pair } from './pairs.ts'
import type { Clients, Why } from './plan.ts'
import { whyMoved } from './why.ts'

const ACTIVE_SECONDS = 60

export interface TalliedPlace {
  readonly pair: Pair
  /** Ids; 0: nobody. */
  readonly from: number
  readonly to: number
  readonly why: Why
}

interface TalliedMove extends TalliedPlace {
  clients: number
  active: number
}

interface TalliedMover extends TalliedPlace {
  readonly source: Address
  readonly seenSeconds: number
  readonly packets: number
  readonly bytes: number
}

/** Known clients of a service by container's id, now and then. */
export interface TalliedClients {
  before: number
  after: number
}

/** What a forecast says of all rows, counted as it comes; of the moving clients it keeps the `top` that have sent most. */
export class Tally {
  readonly #pairs: readonly Pair[]
  readonly #top: number
  readonly clients: { -readonly [Key in keyof Clients]: number } = {
    known: 0,
    moved: 0,
    unserved: 0,
    active: 0,
    activeMoved: 0,
  }
  readonly #moves = new Map<string, TalliedMove>()
  readonly #services = new Map<string, Map<number, TalliedClients>>()
  #movers: TalliedMover[] = []
  /** Who has sent less is none of the top. */
  #leastBytes = 0
  /** Moves of single clients, one for each pair. */
  #moved = 0

  constructor(pairs: readonly Pair[], top: number) {
    this.#pairs = pairs
    this.#top = top
  }

  get moves(): readonly TalliedMove[] {
    return [...this.#moves.values()].sort((a, b) => b.clients - a.clients)
  }

  get movers(): { readonly list: readonly TalliedMover[]; readonly left: number } {
    this.#keepTop()
    return { list: this.#movers, left: this.#moved - this.#movers.length }
  }

  clientsOf(service: string, container: number): TalliedClients {
    return this.#services.get(service)?.get(container) ?? { before: 0, after: 0 }
  }

  add(rows: Rows, now: number, forecast: EngineForecast): void {
    const words = forecast.decide(rows, now)
    for (let at = 0; at < words.length; ) at = this.#addRow(rows, words, at, now)
    if (this.#movers.length > this.#top + MOST_UNSORTED) this.#keepTop()
  }

  /** Returns where the next row's judgements begin. */
  #addRow(rows: Rows, words: Uint32Array, start: number, now: number): number {
    const row = words[start]!
    const unseen = now - seenOf(rows, row)
    const isKnown = unseen <= this.#pairs[words[start + 1]!]!.before.front.idleSeconds
    const isActive = unseen <= ACTIVE_SECONDS
    let isMoved = false
    let isUnserved = false
    let at = start
    for (; at < words.length && words[at] === row; at += JUDGEMENT_WORDS) {
      if (!isKnown) continue
      const isFirst = at === start
      const [pair, last] = [this.#pairs[words[at + 1]!]!, isFirst ? undefined : this.#pairs[words[at - 3]!]!]
      const [before, after] = [words[at + 2]!, words[at + 3]!]
      const [from, to] = [judgedContainer(before), judgedContainer(after)]
      if (last?.before.service !== pair.before.service) this.#clients(pair.before.service.name, from).before++
      if (pair.after !== undefined && last?.after?.service !== pair.after.service)
        this.#clients(pair.after.service.name, to).after++
      if (from === to) continue
      isMoved = true
      isUnserved ||= to === 0
      const isIdle = pair.after !== undefined && unseen > pair.after.front.idleSeconds
      const why = whyMoved(pair, containerOf(rows, row), before, after, isIdle)
      this.#addMove(rows, row, { pair, from, to, why }, isActive)
    }
    if (isKnown) this.#addClient(isActive, isMoved, isUnserved)
    return at
  }

  #addClient(isActive: boolean, isMoved: boolean, isUnserved: boolean): void {
    const { clients } = this
    clients.known++
    if (isActive) clients.active++
    if (!isMoved) return
    clients.moved++
    if (isActive) clients.activeMoved++
    if (isUnserved) clients.unserved++
  }

  #addMove(rows: Rows, row: number, move: TalliedPlace, isActive: boolean): void {
    const name = `${move.pair.before.service.id} ${move.from} ${move.to} ${move.why}`
    let known = this.#moves.get(name)
    if (known === undefined) {
      known = { ...move, clients: 0, active: 0 }
      this.#moves.set(name, known)
    }
    known.clients++
    if (isActive) known.active++
    this.#moved++
    const bytes = bytesOf(rows, row)
    if (bytes < this.#leastBytes) return
    const packets = packetsOf(rows, row)
    this.#movers.push({
      ...move,
      source: sourceOf(rows, row),
      seenSeconds: seenOf(rows, row),
      packets,
      bytes,
    })
  }

  #clients(service: string, container: number): TalliedClients {
    let containers = this.#services.get(service)
    if (containers === undefined) {
      containers = new Map()
      this.#services.set(service, containers)
    }
    let counts = containers.get(container)
    if (counts === undefined) {
      counts = { before: 0, after: 0 }
      containers.set(container, counts)
    }
    return counts
  }

  #keepTop(): void {
    this.#movers.sort((a, b) => b.bytes - a.bytes || (a.source < b.source ? -1 : 1))
    this.#movers.length = Math.min(this.#movers.length, this.#top)
    if (this.#movers.length === this.#top) this.#leastBytes = this.#movers.at(-1)?.bytes ?? Infinity
  }
}

/** Those that may wait to be sorted. */
const MOST_UNSORTED = 1_024
