import type { Sample } from './measure.ts'
import { type Distribution, distributionOf, ratiosOf } from './summary.ts'

/** What a leg's metric must be, as a multiple of another leg's in the same round. */
export interface Target {
  readonly metric: string
  readonly leg: string
  readonly than: string
  readonly bound: Bound
}

export interface Bound {
  readonly kind: 'at least' | 'at most'
  readonly limit: number
}

export const TARGETS: readonly Target[] = [
  { metric: 'bulk', leg: 'onehop', than: 'haproxy', bound: { kind: 'at least', limit: 1.6 } },
  { metric: 'bulk', leg: 'onehop', than: 'routing', bound: { kind: 'at least', limit: 0.6 } },
  { metric: 'p50', leg: 'onehop', than: 'haproxy', bound: { kind: 'at most', limit: 1 } },
  { metric: 'connections', leg: 'onehop', than: 'haproxy', bound: { kind: 'at least', limit: 1.2 } },
]

export interface Judgement extends Target {
  readonly ratio: Distribution
  readonly isReached: boolean
}

/** Only the targets of which both sides were measured. */
export const judge = (samples: readonly Sample[]): readonly Judgement[] =>
  TARGETS.flatMap((target) => {
    const ratio = distributionOf(ratiosOf(samples, target.metric, target.leg, target.than))
    return ratio === undefined ? [] : [{ ...target, ratio, isReached: isWithin(ratio.median, target.bound) }]
  })

export const isWithin = (value: number, { kind, limit }: Bound): boolean =>
  kind === 'at least' ? value >= limit : value <= limit
