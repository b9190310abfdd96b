import { OnehopError } from '../errors.ts'

export type Path = readonly PropertyKey[]

/** One thing wrong with a config, at the value (or the key) that `path` names. */
export interface Issue {
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly message: string
}

/** A person mends a file from the top: more than this at once hides the first. */
export const MOST_SHOWN = 20

/** The error that a list of `place: what` lines becomes. */
export function configError(lines: readonly string[]): OnehopError {
  const shown = lines.slice(0, MOST_SHOWN)
  const rest = lines.length - shown.length
  const more = rest > 0 ? [`… and ${rest} more`] : []
  return new OnehopError('E_CONFIG', [...shown, ...more].join('\n'))
}

/** `services[0].ports[1]` */
export function formatPath(path: Path): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? String(step) : `.${String(step)}`))
    .join('')
}

/** A value as an error quotes it: one line, bounded, with control characters escaped. */
export function quoteValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  return typeof value === 'string' ? `"${oneLine(value)}"` : String(value)
}

const LONGEST_QUOTE = 160

/** Foreign text fit for a terminal and a log: bounded, and nothing in it that moves a cursor or turns the line around. */
export function oneLine(text: string): string {
  const bounded = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text
  return bounded.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escapeCharacter)
}

const escapeCharacter = (character: string): string =>
  character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** The known word that `word` probably meant: at most two letters off, and less than half of it. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.min(2, Math.floor(word.length / 2))
  return known
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate, most) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance)[0]?.candidate
}

/** Levenshtein's distance with neighbouring letters swapped counted as one; `most + 1` when the lengths alone exceed it. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : change
      row.push(Math.min(change, swap, row[j - 1]! + 1, rows[i - 1]![j]! + 1))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
