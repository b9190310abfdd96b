/** Numbers and names as `onehop top` shows them, one column of the terminal a character. */

const THOUSAND = 1_000
const UNITS = ['', 'k', 'M', 'G', 'T', 'P']

/** At most five characters: `0.4`, `12`, `1.2k`, `980k`. */
export function short(value: number): string {
  let unit = 0
  let left = value
  while (left >= THOUSAND - 0.5 && unit < UNITS.length - 1) {
    left /= THOUSAND
    unit++
  }
  const text = left < 9.95 ? left.toFixed(1).replace('.0', '') : left.toFixed(0)
  return `${text}${UNITS[unit]}`
}

export const bits = (bytes: number): string => short(bytes * 8)

export const percent = (part: number): string => `${Math.round(part * 100)}%`

const UNITS_OF_TIME = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const

/** Its two largest units: `3d4h`. */
export function duration(seconds: number): string {
  const first = UNITS_OF_TIME.findIndex(([, length]) => seconds >= length)
  if (first < 0) return '0s'
  const [unit, length] = UNITS_OF_TIME[first]!
  const [nextUnit, nextLength] = UNITS_OF_TIME[first + 1] ?? ['', seconds + 1]
  const next = Math.floor((seconds % length) / nextLength)
  return `${Math.floor(seconds / length)}${unit}${next > 0 ? `${next}${nextUnit}` : ''}`
}

/** Only printable ASCII is as wide on every terminal as it is long, and does nothing to any. */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e]/gu, '?')

/** The end shows that there is more. */
export const cut = (text: string, width: number): string =>
  text.length <= width ? text : width < 2 ? text.slice(0, Math.max(width, 0)) : `${text.slice(0, width - 1)}…`

const BARS = '▁▂▃▄▅▆▇█'

/** The latest values that there is room for, the largest of them as a full bar. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = width > 0 ? values.slice(-width) : []
  const largest = Math.max(...shown, 1)
  return shown.map((value) => BARS[Math.round((value / largest) * (BARS.length - 1))]).join('')
}
