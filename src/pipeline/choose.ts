import { type Address, isAddress4, mappedBytes } from '../address.ts'
import { lookupRing } from '../table/maglev.ts'
import { type Hash64, hashModulo, siphash } from '../table/siphash.ts'
import type { Candidate, Candidates, Family } from './candidates.ts'
import type { SnapshotLookup } from './lookup.ts'
import type { PipelineState } from './pipeline.ts'
import type { Member, SnapshotService } from './snapshot.ts'

/** What the algorithms go by besides the source; maglev by nothing. */
export interface Past {
  /** How many sources of the table stand on a container, in all its services together. */
  sourcesOn(container: number): number
  /** Counts a service's new sources. */
  turn(service: number, family: Family): number
}

/** To `peek` is to leave whoever's turn it is their turn. */
export const pastOf = ({ table, turns }: PipelineState, turn: 'take' | 'peek'): Past => ({
  sourcesOn: (container) => table.sourcesOn(container),
  turn: (service, family) => turns[turn](service, family),
})

/** The algorithm: a container for a source that nobody knows, as the table would know it. Undefined when there is none. */
export function choose(
  service: SnapshotService,
  source: Address,
  lookup: SnapshotLookup,
  past: Past,
): Member | undefined {
  const candidates = lookup.candidates.of(service, isAddress4(source) ? 4 : 6)
  return candidates.list.length === 0
    ? undefined
    : chooseOne(candidates, service, source, lookup, past).member
}

function chooseOne(
  candidates: Candidates,
  service: SnapshotService,
  source: Address,
  { snapshot: { key } }: SnapshotLookup,
  past: Past,
): Candidate {
  const { list, ring } = candidates
  switch (service.algorithm) {
    case 'maglev':
      return list[lookupRing(ring, key, mappedBytes(source))]!
    case 'weighted-round-robin':
      return list[ring[past.turn(service.id, isAddress4(source) ? 4 : 6) % ring.length]!]!
    case 'least-sources':
      return leastOf(list, hashModulo(seededHash(service, source, key), list.length), past)
    case 'random-two':
      return fewerOfTwo(candidates, seededHash(service, source, key), past)
  }
}

/** The first from `start` on, round the list, with the fewest sources for its weight. */
function leastOf(list: readonly Candidate[], start: number, past: Past): Candidate {
  const fromStart = [...list.slice(start), ...list.slice(0, start)]
  return fromStart.reduce((least, candidate) => (hasFewer(candidate, least, past) ? candidate : least))
}

/** Two rows of the ring, so that weights tell how often one is among the two; the same one twice may be. */
function fewerOfTwo({ list, ring }: Candidates, { low, high }: Hash64, past: Past): Candidate {
  const [first, second] = [list[ring[low % ring.length]!]!, list[ring[high % ring.length]!]!]
  return hasFewer(second, first, past) ? second : first
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
