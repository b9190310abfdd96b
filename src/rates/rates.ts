import type { Rates, Sort } from '../api/rates.ts'
import type { Counters, Traffic } from '../dataplane/dataplane.ts'
import { REASONS } from '../pipeline/verdict.ts'

interface BothWays {
  readonly in: Traffic
  readonly out: Traffic
}

/** Counters, and when they were read. */
export interface Reading {
  readonly atMs: number
  readonly counters: Counters
}

const NONE: Traffic = { packets: 0, bytes: 0 }
const NO_TRAFFIC: BothWays = { in: NONE, out: NONE }

/** What was counted between two readings, as a second's. */
export class Between {
  readonly #before: Counters
  readonly #after: Counters
  readonly seconds: number

  constructor(before: Reading, after: Reading) {
    this.#before = before.counters
    this.#after = after.counters
    this.seconds = (after.atMs - before.atMs) / 1000
  }

  received(): Traffic {
    return this.#rate(this.#before.received, this.#after.received)
  }

  verdicts(): Rates['verdicts'] {
    return REASONS.map(([verdict, reason], code) => ({
      verdict,
      reason,
      ...this.#rate(this.#before.reasons[code]!, this.#after.reasons[code]!),
    })).filter(({ packets }) => packets > 0)
  }

  table(): Rates['table'] {
    const { entries, capacity, ...after } = this.#after.table
    const rate = (count: keyof typeof after) => this.#perSecond(this.#before.table[count], after[count])
    return {
      entries,
      capacity,
      probation: rate('probation'),
      moved: rate('moved'),
      full: rate('full'),
      overQuota: rate('overQuota'),
      expired: rate('expired'),
    }
  }

  /** Of a service or a container, by id. */
  of(kind: 'services' | 'containers', id: number): BothWays {
    const after = this.#after[kind].get(id)
    if (after === undefined) return NO_TRAFFIC
    const before = this.#before[kind].get(id) ?? NO_TRAFFIC
    return { in: this.#rate(before.in, after.in), out: this.#rate(before.out, after.out) }
  }

  #rate(before: Traffic, after: Traffic): Traffic {
    return {
      packets: this.#perSecond(before.packets, after.packets),
      bytes: this.#perSecond(before.bytes, after.bytes),
    }
  }

  #perSecond(before: number, after: number): number {
    return Math.round(((after - before) / this.seconds) * 10) / 10
  }
}

interface Ordered extends BothWays {
  readonly name: string
  readonly entries?: number
}

interface Shown<Item> {
  readonly count: number
  readonly shown: readonly Item[]
}

/** The first `limit` in an order; the same order again for the same rates, so that rows do not dance. */
export function firstOf<Item extends Ordered>(items: Iterable<Item>, sort: Sort, limit: number): Shown<Item> {
  const sum = (item: Item, count: keyof Traffic) => item.in[count] + item.out[count]
  const byName = (a: Item, b: Item) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  const amountOf = {
    packets: (item: Item) => sum(item, 'packets'),
    bytes: (item: Item) => sum(item, 'bytes'),
    entries: (item: Item) => item.entries ?? sum(item, 'packets'),
    name: () => 0,
  }[sort]
  const order = (a: Item, b: Item) => amountOf(b) - amountOf(a) || byName(a, b)
  let count = 0
  let shown: Item[] = []
  let last: Item | undefined
  for (const item of items) {
    count++
    if (last !== undefined && order(item, last) >= 0) continue
    if (shown.push(item) < 2 * limit) continue
    shown = shown.sort(order).slice(0, limit)
    last = shown[limit - 1]
  }
  return { count, shown: shown.sort(order).slice(0, limit) }
}
