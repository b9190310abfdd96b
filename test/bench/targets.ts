import type { Sample } from './measure.ts'
import { type Distribution, distributionOf, ratiosOf, valuesOf } from './summary.ts'

/** What a leg's metric must be: as a multiple of another leg's in the same round, or, without one, by itself. */
export interface Target {
  readonly metric: string
  readonly leg: string
  readonly than?: string
  readonly bound: Bound
  /** A leg that should be like `than`: how far it is from it is how far chance goes. */
  readonly control?: string
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
  ...['fastpath', 'onehop'].flatMap((way) =>
    ['10k-services', '1m-sources', '1k-containers'].flatMap((size) => {
      const flat = { leg: `${way}-${size}`, than: `${way}-1`, control: `${way}-1-again` }
      return [
        { ...flat, metric: 'connections', bound: atLeast(0.95) },
        { ...flat, metric: 'p50', bound: atMost(1.05) },
        { ...flat, metric: 'packets', bound: atLeast(0.95) },
      ]
    }),
  ),
]

export interface Judgement extends Target {
  /** The ratio, or the metric itself. */
  readonly value: Distribution
  readonly isReached: boolean
  /** Missed, but by no more than the control was in some round. */
  readonly isNoise: boolean
}

/** Only the targets of which all sides were measured. */
export const judge = (samples: readonly Sample[]): readonly Judgement[] =>
  TARGETS.flatMap((target) => {
    const value = distributionOf(measured(samples, target))
    if (value === undefined) return []
    const isReached = isWithin(value.median, target.bound)
    return [{ ...target, value, isReached, isNoise: !isReached && isByChance(samples, target, value.median) }]
  })

function isByChance(samples: readonly Sample[], target: Target, value: number): boolean {
  const { control, bound } = target
  if (control === undefined) return false
  const chance = measured(samples, { ...target, leg: control })
  return chance.some((ratio) => (bound.kind === 'at least' ? ratio <= value : ratio >= value))
}

const measured = (samples: readonly Sample[], { metric, leg, than }: Target): readonly number[] =>
  than === undefined ? valuesOf(samples, metric, leg) : ratiosOf(samples, metric, leg, than)

export const isWithin = (value: number, { kind, limit }: Bound): boolean =>
  kind === 'at least' ? value >= limit : value <= limit
