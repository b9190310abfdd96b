import { parseDurationUs } from '../duration.ts'
import { text } from '../values.ts'

export const MS_US = 1_000
export const SECOND_US = 1_000_000
export const HOUR_US = 3_600 * SECOND_US

/** A time such as `1h30m` from `leastUs` to `mostUs` microseconds, in units of `unitUs`. */
export const time = (expected: string, leastUs: number, mostUs: number, unitUs: number) =>
  text(expected, (value) => {
    const us = parseDurationUs(value)
    return us !== undefined && us >= leastUs && us <= mostUs ? us / unitUs : undefined
  })
