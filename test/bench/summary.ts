import type { Sample } from './measure.ts'

/** Several measurements of one thing. */
export interface Distribution {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly count: number
}

/** Undefined when there is nothing to describe. */
export function distributionOf(values: readonly number[]): Distribution | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)!, count: sorted.length }
}

export const valuesOf = (samples: readonly Sample[], metric: string, leg: string): readonly number[] =>
  samples.filter((sample) => sample.metric === metric && sample.leg === leg).map(({ value }) => value)

/**
 * One leg's metric divided by another's, round by round: what disturbed the machine in a round disturbed both,
 * so their ratio is steadier than either of them. Rounds in which one of the two is missing do not count, nor do different runs.
 */
export function ratiosOf(
  samples: readonly Sample[],
  metric: string,
  leg: string,
  than: string,
): readonly number[] {
  const of = (name: string) =>
    new Map(
      samples
        .filter((sample) => sample.metric === metric && sample.leg === name)
        .map(({ run, round, value }) => [`${run} ${round}`, value]),
    )
  const base = of(than)
  return [...of(leg)].flatMap(([round, value]) => {
    const divisor = base.get(round)
    return divisor === undefined ? [] : [value / divisor]
  })
}
