import { type Distribution, distributionOf } from './summary.ts'
import { type Bound, isWithin } from './targets.ts'

/** What is measured otherwise than by traffic over a leg: of an engine by itself, or of a daemon. */
export interface EngineFigure {
  readonly title: string
  readonly unit: string
  readonly bound: Bound
  readonly value: Distribution
  readonly isReached: boolean
}

/** `measured` at least once. */
export function figureOf(
  title: string,
  unit: string,
  bound: Bound,
  measured: readonly number[],
): EngineFigure {
  const value = distributionOf(measured)!
  return { title, unit, bound, value, isReached: isWithin(value.median, bound) }
}
