import { hashModulo, siphash } from './siphash.ts'

/** One competitor for rows of a ring. Its name, not its address, decides: a restart keeps its rows. */
export interface RingMember {
  readonly name: string
  /** Above 0: how many rows it takes for each one that a member of weight 1 takes. */
  readonly weight: number
}

/**
 * Ring sizes: the largest primes below powers of 4. The smallest with at least 100 rows a member is taken (Maglev, NSDI
 * 2016, section 5.3: 1 % imbalance), so that ten thousand small services stay small. The steps are wide so that a list
 * growing by one hardly ever changes the size, which would reshuffle sources not yet known.
 */
export const RING_SIZES = [1021, 4093, 16381, 65521, 262139, 1048573] as const

/** A member's index must fit the ring's 16 bits. */
export const MEMBERS_AT_MOST = 65535

export const ringSize = (members: number): number =>
  RING_SIZES.find((size) => size >= members * 100) ?? RING_SIZES.at(-1)!

/**
 * Maglev hashing (NSDI 2016, section 3.4): every member walks its own permutation of the rows and takes the
 * next free one in turn. Rows hold positions in `members`. The result depends on names, weights and key
 * only, not on the list's order, so every host with the same list agrees. Empty when there is no member.
 */
export function buildRing(members: readonly RingMember[], key: Uint8Array): Uint16Array {
  if (members.length === 0) return new Uint16Array(0)
  const size = ringSize(members.length)
  const walkers = members
    .map((member, index) => ({ ...startOfWalk(member.name, size, key), ...member, index, credit: 0 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const heaviest = Math.max(...members.map((member) => member.weight))
  const ring = new Uint16Array(size)
  const taken = new Uint8Array(size)
  for (let filled = 0; filled < size; ) {
    for (const walker of walkers) {
      walker.credit += walker.weight
      if (walker.credit < heaviest) continue
      walker.credit -= heaviest
      while (taken[walker.row]) walker.row = (walker.row + walker.skip) % size
      taken[walker.row] = 1
      ring[walker.row] = walker.index
      if (++filled === size) break
    }
  }
  return ring
}

function startOfWalk(name: string, size: number, key: Uint8Array): { row: number; skip: number } {
  const text = new TextEncoder().encode(name)
  const hashWith = (purpose: number) => siphash(key, Uint8Array.of(...text, purpose))
  return { row: hashModulo(hashWith(0), size), skip: 1 + hashModulo(hashWith(1), size - 1) }
}

/** The position in `members` that a source's 16 mapped bytes lead to. The ring must not be empty. */
export function lookupRing(ring: Uint16Array, key: Uint8Array, mappedSource: Uint8Array): number {
  return ring[hashModulo(siphash(key, mappedSource), ring.length)]!
}
