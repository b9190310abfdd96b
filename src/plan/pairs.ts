import { type Address, isAddress4 } from '../address.ts'
import { PAIR_WORDS, type Pairs } from '../pipeline/forecast.ts'
import type { Way } from '../pipeline/lookup.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'

/** Where those who are known at one way in would find themselves. */
export interface Pair {
  readonly before: Way
  /** Undefined: nobody serves them there. */
  readonly after: Way | undefined
}

/**
 * What clients of one snapshot meet in another at the addresses and ports that they use. Which of several ports a client of
 * a service uses is not remembered, so it is taken to use all of them. One pair for all ends that lead from the same service
 * and scope to the same service and scope.
 */
export function pairsBetween(before: Snapshot, after: Snapshot): readonly Pair[] {
  const [old, now] = [endsOf(before), endsOf(after)]
  const groups = new Map<number, Map<string, Pair>>()
  for (const [address, ends] of old)
    for (const end of usedEnds(ends, now.get(address))) {
      const pair = { before: (ends.get(end) ?? ends.get(EVERY))!, after: wayOf(end, now.get(address)) }
      const { service, front } = pair.before
      const scope = scopeWordOf(front.scope, address)
      const own = groups.get(scope) ?? new Map<string, Pair>()
      const name = `${service.id} ${pair.after?.service.id} ${pair.after?.front.scope}`
      if (!own.has(name)) own.set(name, pair)
      groups.set(scope, own)
    }
  return Array.from(groups.values(), inOrder).flat()
}

/** Those of one service together, all from the same front. */
function inOrder(pairs: ReadonlyMap<string, Pair>): readonly Pair[] {
  const ways = new Map<number, Way>()
  for (const { before } of pairs.values())
    if (!ways.has(before.service.id)) ways.set(before.service.id, before)
  return [...pairs.values()]
    .sort((a, b) => a.before.service.id - b.before.service.id)
    .map(({ before, after }) => ({ before: ways.get(before.service.id)!, after }))
}

export function encodePairs(pairs: readonly Pair[]): Pairs {
  const words = new Uint32Array(pairs.length * PAIR_WORDS)
  for (const [i, { before, after }] of pairs.entries())
    words.set(
      [scopeWordOf(before.front.scope, before.front.address), ...wordsOf(before), ...wordsOf(after)],
      i * PAIR_WORDS,
    )
  return words
}

const wordsOf = (way: Way | undefined): readonly number[] =>
  way === undefined ? [0, 0] : [way.service.id, way.service.fronts.indexOf(way.front)]

const scopeWordOf = (scope: number, address: Address): number => scope * 2 + (isAddress4(address) ? 0 : 1)

/** Of one address by protocol and port; EVERY: all that is not there otherwise. */
type Ends = ReadonlyMap<number, Way>
const EVERY = 0

function endsOf({ services }: Snapshot): ReadonlyMap<Address, Ends> {
  const addresses = new Map<Address, Map<number, Way>>()
  for (const service of services)
    for (const front of service.fronts) {
      const ends = addresses.get(front.address) ?? new Map<number, Way>()
      addresses.set(front.address, ends.set(front.protocol * 65_536 + front.port, { service, front }))
    }
  return addresses
}

/** Who is served at every port may use one that gets a service of its own. */
const usedEnds = (ends: Ends, others: Ends | undefined): Iterable<number> =>
  ends.has(EVERY) ? new Set([...ends.keys(), ...(others?.keys() ?? [])]) : ends.keys()

const wayOf = (end: number, ends: Ends | undefined): Way | undefined => ends?.get(end) ?? ends?.get(EVERY)
