import type { Address } from '../address.ts'
import { type Rows, rowCount, scopeWordOf, sourceOf } from '../table/rows.ts'
import { type DistributionTable, isCandidate } from '../table/table.ts'
import type { TurnCounters } from '../table/turns.ts'
import type { Past } from './choose.ts'
import { decide } from './decide.ts'
import { type SnapshotLookup, sourceKey, type Way } from './lookup.ts'
import { codeOf } from './outcome.ts'

/**
 * Which ways in are held against each other, for the entries of each scope, in words:
 *
 * | words | field |
 * | --- | --- |
 * | 0 | the scope, and in the lowest bit whether it is about IPv6 sources: a row's word 4 |
 * | 1, 2 | service's id and position of the front, in the snapshot in force |
 * | 3, 4 | the same in the other one; service 0: there is no way in any more |
 *
 * Pairs of one scope lie together, and in it those of one front in force.
 */
export type Pairs = Uint32Array
export const PAIR_WORDS = 5

/**
 * What both snapshots decide of a row at a pair, in words: the row's position, the pair's, and the decision in force and the
 * other one. A decision is a container's id (0: none) and in the eight highest bits the position in REASONS.
 */
export type Judgements = Uint32Array
export const JUDGEMENT_WORDS = 4

const CONTAINER_BITS = 24

export const judgedContainer = (word: number): number => word & (2 ** CONTAINER_BITS - 1)
export const judgedCode = (word: number): number => word >>> CONTAINER_BITS

const judgement = (code: number, container: number): number => code * 2 ** CONTAINER_BITS + container

const CLOSED = judgement(codeOf('answer', 'port-closed'), 0)

/**
 * Where the sources of a table would go if another snapshot were in force, by the one decision. The table is only looked at.
 * Turns are taken and sources counted as if each had sent a packet, in the order in which the rows come: algorithms that go
 * by these spread the sources as they would, though which one goes where depends on who comes first.
 */
export class Forecast {
  readonly #before: Side
  readonly #after: Side
  readonly #pairs = new Map<number, Pair[]>()

  constructor(
    before: SnapshotLookup,
    after: SnapshotLookup,
    pairs: Pairs,
    table: DistributionTable,
    turns: TurnCounters,
  ) {
    this.#before = new Side(before, table, turns)
    this.#after = new Side(after, table, turns)
    for (let at = 0; at < pairs.length; at += PAIR_WORDS) {
      const own = this.#pairs.get(pairs[at]!) ?? []
      own.push({
        index: at / PAIR_WORDS,
        before: wayAt(before, pairs[at + 1]!, pairs[at + 2]!)!,
        after: wayAt(after, pairs[at + 3]!, pairs[at + 4]!),
      })
      this.#pairs.set(pairs[at]!, own)
    }
  }

  decide(rows: Rows, now: number): Judgements {
    const words: number[] = []
    for (let row = 0; row < rowCount(rows); row++) this.#decide(rows, row, now, words)
    return Uint32Array.from(words)
  }

  #decide(rows: Rows, row: number, now: number, words: number[]): void {
    const source = sourceOf(rows, row)
    let last: Way | undefined
    let before = 0
    for (const pair of this.#pairs.get(scopeWordOf(rows, row)) ?? []) {
      if (last === undefined || pair.before.front !== last.front)
        before = this.#before.decide(pair.before, source, now)
      last = pair.before
      const after = pair.after === undefined ? CLOSED : this.#after.decide(pair.after, source, now)
      words.push(row, pair.index, before, after)
    }
    this.#before.settle()
    this.#after.settle()
  }
}

interface Pair {
  readonly index: number
  readonly before: Way
  readonly after: Way | undefined
}

function wayAt({ snapshot }: SnapshotLookup, id: number, position: number): Way | undefined {
  const service = snapshot.services.find((candidate) => candidate.id === id)
  return service && { service, front: service.fronts[position]! }
}

/** One of the snapshots, with what has become of turns and counts in it so far. */
class Side {
  readonly #lookup: SnapshotLookup
  readonly #table: DistributionTable
  readonly #turnsTaken = new Map<string, number>()
  readonly #sourcesMore = new Map<number, number>()
  readonly #past: Past
  /** The row's entry, as the first decision that moves it leaves it. */
  #moved: { readonly from: number; readonly to: number } | undefined

  constructor(lookup: SnapshotLookup, table: DistributionTable, turns: TurnCounters) {
    this.#lookup = lookup
    this.#table = table
    this.#past = {
      sourcesOn: (container) => table.sourcesOn(container) + (this.#sourcesMore.get(container) ?? 0),
      turn: (service, family) => {
        const taken = this.#turnsTaken.get(`${service}/${family}`) ?? 0
        this.#turnsTaken.set(`${service}/${family}`, taken + 1)
        return (turns.peek(service, family) + taken) >>> 0
      },
      limitOf: () => undefined,
    }
  }

  decide(way: Way, source: Address, now: number): number {
    const key = sourceKey(way, source)
    const entry = this.#table.lookup(key, now, this.#lookup.idleOf(key.scope))
    const ends = { source, destination: way.front.address }
    const decision = decide(ends, way, this.#lookup, entry, this.#past)
    if (!('member' in decision)) return judgement(codeOf('answer', decision.reason), 0)
    const { id } = decision.member.container
    if (entry !== undefined && !isCandidate(entry) && entry.container !== id)
      this.#moved ??= { from: entry.container, to: id }
    return judgement(codeOf('forward', decision.reason), id)
  }

  /** The row is done with. */
  settle(): void {
    if (this.#moved === undefined) return
    this.#count(this.#moved.from, -1)
    this.#count(this.#moved.to, 1)
    this.#moved = undefined
  }

  #count(container: number, change: number): void {
    this.#sourcesMore.set(container, (this.#sourcesMore.get(container) ?? 0) + change)
  }
}
