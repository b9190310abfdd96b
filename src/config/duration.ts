const UNIT_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
}

/** `3h`, `1h30m`, `50us` in microseconds: whole numbers with units, each unit once, larger ones first. */
export function parseDurationUs(text: string): number | undefined {
  if (!/^([0-9]{1,9}(us|ms|s|m|h|d))+$/.test(text)) return undefined
  let sum = 0
  let previous = Number.POSITIVE_INFINITY
  for (const [, count, unit] of text.matchAll(/([0-9]+)([a-z]+)/g)) {
    const us = UNIT_US[unit!]!
    if (us >= previous) return undefined
    previous = us
    sum += Number(count) * us
  }
  return sum
}
