import { type Address, isAddress4, mappedBytes } from '../address.ts'
import { lookupRing } from '../table/maglev.ts'
import { type Hash64, hashModulo, siphash } from '../table/siphash.ts'
import type { Candidates, Family } from './candidates.ts'
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
  const family = isAddress4(source) ? 4 : 6
  const candidates = lookup.candidates.of(service, family)
  const { members, ring } = candidates
  if (members.length === 0) return undefined
  const { key } = lookup.snapshot
  switch (service.algorithm) {
    case 'maglev':
      return members[lookupRing(ring, key, mappedBytes(source))]
    case 'weighted-round-robin':
      return members[ring[past.turn(service.id, family) % ring.length]!]
    case 'least-sources':
      return leastOf(members, hashModulo(seededHash(service, source, key), members.length), past)
    case 'random-two':
      return fewerOfTwo(candidates, seededHash(service, source, key), past)
  }
}

/** The first from `start` on, round the list, with the fewest sources for its weight. */
function leastOf(members: readonly Member[], start: number, past: Past): Member {
  const fromStart = [...members.slice(start), ...members.slice(0, start)]
  return fromStart.reduce((least, member) => (hasFewer(member, least, past) ? member : least))
}

/** Two rows of the ring, so that weights tell how often a member is among the two; the same one twice may be. */
function fewerOfTwo({ members, ring }: Candidates, { low, high }: Hash64, past: Past): Member {
  const [first, second] = [members[ring[low % ring.length]!]!, members[ring[high % ring.length]!]!]
  return hasFewer(second, first, past) ? second : first
}

/** Whether `a` with one source more would have fewer than `b` with one more, each for its weight. Exact below 2^53. */
const hasFewer = (a: Member, b: Member, past: Past): boolean =>
  (past.sourcesOn(a.container.id) + 1) * b.weight < (past.sourcesOn(b.container.id) + 1) * a.weight

/** Another one for each service, lest a source meet the same neighbours everywhere. */
function seededHash({ seed }: SnapshotService, source: Address, key: Uint8Array): Hash64 {
  const bytes = new Uint8Array(20)
  bytes.set(mappedBytes(source))
  new DataView(bytes.buffer).setUint32(16, seed, true)
  return siphash(key, bytes)
}
