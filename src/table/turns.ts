import { type RingMember, ringSize } from './maglev.ts'

/**
 * Weighted round robin: whose turn it is, one row a turn, as positions in `members`. Members take part in the order of
 * their names; in each round every one saves its weight up, and who has saved the heaviest's takes a turn for it. So
 * turns of one member lie apart as far as they can. A whole cycle, after which all begins anew; or, where weights make
 * that longer than Maglev's ring would be, so many rows of it, in which each member has its share to within a turn.
 */
export function buildTurns(members: readonly RingMember[]): Uint16Array {
  if (members.length === 0) return new Uint16Array(0)
  const takers = members
    .map((member, index) => ({ ...member, index, saved: 0 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const weights = members.map(({ weight }) => weight)
  const heaviest = Math.max(...weights)
  const turns = new Uint16Array(Math.min(cycleOf(weights), ringSize(members.length)))
  for (let taken = 0; taken < turns.length; ) {
    for (const taker of takers) {
      taker.saved += taker.weight
      if (taker.saved < heaviest) continue
      taker.saved -= heaviest
      turns[taken] = taker.index
      if (++taken === turns.length) break
    }
  }
  return turns
}

function cycleOf(weights: readonly number[]): number {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return sum / weights.reduce(greatestDivisor)
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))

/** Who has had the last turn, by service and family; counts as 32 bits do. */
export class TurnCounters {
  readonly #next = new Map<string, number>()

  /** Whose turn it is, without taking it. */
  peek(service: number, family: number): number {
    return this.#next.get(`${service}/${family}`) ?? 0
  }

  take(service: number, family: number): number {
    const turn = this.peek(service, family)
    this.#next.set(`${service}/${family}`, (turn + 1) >>> 0)
    return turn
  }
}
