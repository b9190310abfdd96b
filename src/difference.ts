/** What two lists do not have in common, by identity. */
export interface Difference<T> {
  readonly gone: readonly T[]
  readonly come: readonly T[]
}

/** Of lists where most stands in the same place as before, one comparison each. */
export function difference<T>(before: readonly T[], now: readonly T[]): Difference<T> {
  const [gone, come]: [T[], T[]] = [[], []]
  for (let i = 0; i < Math.max(before.length, now.length); i++) {
    if (before[i] === now[i]) continue
    if (i < before.length) gone.push(before[i]!)
    if (i < now.length) come.push(now[i]!)
  }
  if (gone.length === 0 || come.length === 0) return { gone, come }
  const [left, kept] = [new Set(gone), new Set(come)]
  return { gone: gone.filter((one) => !kept.has(one)), come: come.filter((one) => !left.has(one)) }
}
