/** Numbers as sentences say them. */

export const count = (number: number, what: string): string =>
  `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

export function bytes(number: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, number)) / 3)))
  return `${(number / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${UNITS[step]}`
}

/** `3 s`, `12 min`, `5 h`, `3 d`: the largest unit that fits. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 2 * 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}
