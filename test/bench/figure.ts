import type { Distribution } from './summary.ts'
import type { Bound } from './targets.ts'

/** What is measured otherwise than by traffic over a leg: of an engine by itself, or of a daemon. */
export interface EngineFigure {
  readonly title: string
  readonly unit: string
  readonly bound: Bound
  readonly value: Distribution
  readonly isReached: boolean
}
