/** What a member asks for of the new sources of one family. */
export interface Claim {
  readonly weight: number
  /** Of its slow start, from 0 to STEPS. */
  readonly stepsDone: number
}

/** A slow start is taken in so many steps, for each of which services are compiled anew. */
export const STEPS = 10

/** Weights must fit 16 bits. */
const WHOLE = 65_535

/**
 * The weights that an engine is to choose by, whole numbers. Who starts slowly has a tenth of its weight at first, and with
 * each further tenth of the time so much more. No one's part of all is above `most` (1: no bound): what is over goes to the
 * others by their weights. Where there are too few for that, all are equal, whatever their weights, for no division has a
 * smaller largest part. Who claims nothing gets nothing.
 */
export function effectiveWeights(claims: readonly Claim[], most: number): readonly number[] {
  const isAnyStarting = claims.some(({ stepsDone }) => stepsDone < STEPS)
  if (!isAnyStarting && most >= 1) return claims.map(({ weight }) => weight)
  const weights = claims.map(({ weight, stepsDone }) =>
    isAnyStarting ? weight * Math.max(1, stepsDone) : weight,
  )
  const parts = bounded(weights, most)
  return parts.map((part, i) => (part === undefined ? weights[i]! : Math.max(1, Math.round(part * WHOLE))))
}

/** Each one's part of the whole, where as the weights are one's would be too large; else undefined for all. */
function bounded(weights: readonly number[], most: number): readonly (number | undefined)[] {
  const bound = Math.max(most, 1 / weights.filter((weight) => weight > 0).length)
  const isAtBound = weights.map(() => false)
  for (;;) {
    const free = sum(weights.filter((_, i) => !isAtBound[i]))
    const left = 1 - bound * isAtBound.filter(Boolean).length
    const partOf = (i: number) => (isAtBound[i] ? bound : (weights[i]! / free) * left)
    const over = weights.flatMap((_, i) => (partOf(i) > bound + TINY ? [i] : []))
    for (const i of over) isAtBound[i] = true
    if (over.length > 0) continue
    const isBinding = isAtBound.includes(true)
    return weights.map((weight, i) => (isBinding && weight > 0 ? partOf(i) : undefined))
  }
}

/** Parts that should be equal may differ in their last digits. */
const TINY = 1e-9

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
