import { type Address, isAddress4, mappedBytes } from '../address.ts'
import type { Limit } from '../table/new-sources.ts'
import { type Hash64, hashModulo, siphash } from '../table/siphash.ts'
import type { Candidate, Candidates, Family } from './candidates.ts'
import type { Evidence } from './evidence.ts'
import type { SnapshotLookup } from './lookup.ts'
import type { PipelineState } from './pipeline.ts'
import type { Algorithm, Member, SnapshotService } from './snapshot.ts'

/** What a decision goes by besides the source and its entry. Of the algorithms maglev goes by nothing of it. */
export interface Past {
  /** How many sources of the table stand on a container, in all its services together. */
  sourcesOn(container: number): number
  /** Counts a service's new sources. */
  turn(service: number, family: Family): number
  /** What keeps a source that nobody knows from a place on probation. */
  limitOf(source: Address): Limit | undefined
}

/** To `peek` is to leave whoever's turn it is their turn, and to take no place. */
export const pastOf = (state: PipelineState, turn: 'take' | 'peek'): Past => ({
  sourcesOn: (container) => state.table.sourcesOn(container),
  turn: (service, family) => state.turns[turn](service, family),
  limitOf: (source) => (turn === 'take' ? limitOf(source, state) : undefined),
})

const limitOf = (source: Address, { newSources, lookup, now }: PipelineState): Limit | undefined =>
  newSources.limitOf(source, lookup.snapshot.newSources, now)

/** The algorithm: a container for a source that nobody knows, as the table would know it. Undefined when there is none. */
export function choose(
  service: SnapshotService,
  source: Address,
  lookup: SnapshotLookup,
  past: Past,
  evidence?: Evidence,
): Member | undefined {
  const candidates = lookup.candidates.of(service, isAddress4(source) ? 4 : 6)
  if (candidates.list.length === 0) return undefined
  const rows = rowsFor(service, source, candidates.ring, lookup.snapshot.key, past)
  if (evidence !== undefined) evidence.rows = rows
  return chooseOne(service.algorithm, candidates, rows, past).member
}

/** Where in the ring the algorithm looks. */
function rowsFor(
  service: SnapshotService,
  source: Address,
  ring: Uint16Array,
  key: Uint8Array,
  past: Past,
): readonly number[] {
  switch (service.algorithm) {
    case 'maglev':
      return [hashModulo(siphash(key, mappedBytes(source)), ring.length)]
    case 'weighted-round-robin':
      return [past.turn(service.id, isAddress4(source) ? 4 : 6) % ring.length]
    case 'least-sources':
      return [hashModulo(seededHash(service, source, key), ring.length)]
    case 'random-two': {
      const { low, high } = seededHash(service, source, key)
      return [low % ring.length, high % ring.length]
    }
  }
}

function chooseOne(
  algorithm: Algorithm,
  { list, ring }: Candidates,
  rows: readonly number[],
  past: Past,
): Candidate {
  const [first, second] = rows.map((row) => list[ring[row]!]!)
  switch (algorithm) {
    case 'maglev':
    case 'weighted-round-robin':
      return first!
    case 'least-sources':
      return leastOf(list, rows[0]!, past)
    // Two rows of the ring, so that weights tell how often one is among the two; the same one twice may be.
    case 'random-two':
      return hasFewer(second!, first!, past) ? second! : first!
  }
}

/** The first from `start` on, round the list, with the fewest sources for its weight. */
function leastOf(list: readonly Candidate[], start: number, past: Past): Candidate {
  const fromStart = [...list.slice(start), ...list.slice(0, start)]
  return fromStart.reduce((least, candidate) => (hasFewer(candidate, least, past) ? candidate : least))
}

/** Whether `a` with one source more would have fewer than `b` with one more, each for its weight. Exact below 2^53. */
function hasFewer(a: Candidate, b: Candidate, past: Past): boolean {
  const sources = ({ member }: Candidate) => past.sourcesOn(member.container.id) + 1
  return sources(a) * b.weight < sources(b) * a.weight
}

/** Another one for each service, lest a source meet the same neighbours everywhere. */
function seededHash({ seed }: SnapshotService, source: Address, key: Uint8Array): Hash64 {
  const bytes = new Uint8Array(20)
  bytes.set(mappedBytes(source))
  new DataView(bytes.buffer).setUint32(16, seed, true)
  return siphash(key, bytes)
}
