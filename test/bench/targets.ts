import type { Sample } from './measure.ts'
import { type Distribution, distributionOf, ratiosOf, valuesOf } from './summary.ts'

/** What a leg's metric must be: as a multiple of another leg's in the same round, or, without one, by itself. */
export interface Target {
  readonly metric: string
  readonly leg: string
  readonly than?: string
  readonly bound: Bound
}

export interface Bound {
  readonly kind: 'at least' | 'at most'
  readonly limit: number
}

const atLeast = (limit: number): Bound => ({ kind: 'at least', limit })
const atMost = (limit: number): Bound => ({ kind: 'at most', limit })

export const TARGETS: readonly Target[] = [
  { metric: 'bulk', leg: 'fastpath', than: 'wire', bound: atLeast(0.95) },
  { metric: 'requests', leg: 'fastpath', than: 'wire', bound: atLeast(0.95) },
  { metric: 'connections', leg: 'fastpath', than: 'wire', bound: atLeast(0.95) },
  { metric: 'p50', leg: 'fastpath', than: 'wire', bound: atMost(1.05) },
  { metric: 'packets', leg: 'fastpath', than: 'wire', bound: atLeast(0.9) },
  { metric: 'connections', leg: 'fastpath', than: 'nft', bound: atLeast(2) },
  { metric: 'connections', leg: 'fastpath', than: 'iptables', bound: atLeast(5) },
  { metric: 'connections', leg: 'fastpath', than: 'iptables-5000', bound: atLeast(5) },
  { metric: 'bulk', leg: 'onehop', than: 'haproxy', bound: atLeast(2) },
  { metric: 'p50', leg: 'onehop', than: 'haproxy', bound: atMost(0.8) },
  { metric: 'connections', leg: 'onehop', than: 'haproxy', bound: atLeast(1.3) },
  { metric: 'packets', leg: 'onehop', than: 'routing', bound: atLeast(1) },
  { metric: 'idle', leg: 'fastpath', bound: atMost(1) },
  { metric: 'idle', leg: 'onehop', bound: atMost(1) },
  { metric: 'memory', leg: 'fastpath', bound: atMost(120) },
  // 64 bytes more for each source.
  { metric: 'memory', leg: 'fastpath-1m-sources', bound: atMost(184) },
  ...['fastpath-10k-services', 'fastpath-1m-sources'].flatMap((leg) => [
    { metric: 'connections', leg, than: 'fastpath-1', bound: atLeast(0.95) },
    { metric: 'p50', leg, than: 'fastpath-1', bound: atMost(1.05) },
    { metric: 'packets', leg, than: 'fastpath-1', bound: atLeast(0.95) },
  ]),
]

export interface Judgement extends Target {
  /** The ratio, or the metric itself. */
  readonly value: Distribution
  readonly isReached: boolean
}

/** Only the targets of which all sides were measured. */
export const judge = (samples: readonly Sample[]): readonly Judgement[] =>
  TARGETS.flatMap((target) => {
    const value = distributionOf(measured(samples, target))
    return value === undefined ? [] : [{ ...target, value, isReached: isWithin(value.median, target.bound) }]
  })

const measured = (samples: readonly Sample[], { metric, leg, than }: Target): readonly number[] =>
  than === undefined ? valuesOf(samples, metric, leg) : ratiosOf(samples, metric, leg, than)

export const isWithin = (value: number, { kind, limit }: Bound): boolean =>
  kind === 'at least' ? value >= limit : value <= limit
