import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Address, Prefix } from '../address.ts'
import { parsePrefix } from './address.ts'
import { configError, MOST_SHOWN, oneLine } from './issue.ts'

/** Files that begin each line with a source prefix: there may be a million lines. */

/** Some four million lines. */
const LARGEST_BYTES = 256 * 1024 * 1024

/** `name` as the config writes it, relative to the config's folder. */
export const pathFrom = (folder: string, name: string): string =>
  isAbsolute(name) ? name : join(folder, name)

/** `key` is the config's that names the file. Throws E_CONFIG. */
export function readText(path: string, key: string): string {
  try {
    const found = statSync(path)
    // A pipe waits for a writer and a device has no end; a folder says what it is when it is read.
    if (!found.isFile() && !found.isDirectory())
      throw configError([`${path}: no regular file; expected a file of prefixes, as ${key} says`])
    if (found.size > LARGEST_BYTES)
      throw configError([
        `${path}:1:1: larger than the ${LARGEST_BYTES / 1024 / 1024} MiB a file of prefixes may have`,
      ])
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if (syscall === undefined) throw cause
    throw configError([`${oneLine(path)}: ${syscall}: ${code}; expected a file of prefixes, as ${key} says`])
  }
}

/**
 * Gives `add` each line but empty ones and those that begin with `#`; it returns what is wrong. Throws E_CONFIG that names
 * file and line of each.
 */
export function readRows(text: string, path: string, add: (row: string) => string | undefined): void {
  const faults: string[] = []
  let line = 0
  for (let start = 0; start < text.length && faults.length < MOST_SHOWN; ) {
    line++
    const end = text.indexOf('\n', start)
    const row = text.slice(start, end === -1 ? text.length : end).trimEnd()
    start = end === -1 ? text.length : end + 1
    if (row === '' || row.startsWith('#')) continue
    const fault = add(row)
    if (fault !== undefined) faults.push(`${path}:${line}:1: ${fault}`)
  }
  if (faults.length > 0) throw configError(faults)
}

/** Returns what is wrong for a text that is no prefix. */
export const parseSource = (text: string): Prefix | string =>
  plainPrefix4(text) ??
  parsePrefix(text) ??
  `"${oneLine(text)}"; expected an address or a prefix such as 198.51.100.0/24, no bits set after its length`

/** What nearly all lines hold, a hundred times as fast as the strict parser; undefined for anything else. */
function plainPrefix4(text: string): { address: Address; length: number } | undefined {
  const found =
    /^([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])\.([1-9]?\d|1\d\d|2[0-4]\d|25[0-5])(?:\/([12]?\d|3[0-2]))?$/.exec(
      text,
    )
  if (found === null) return undefined
  const [a, b, c, d] = found.slice(1, 5).map(Number) as [number, number, number, number]
  const length = found[5] === undefined ? 32 : Number(found[5])
  const bits = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  if (length < 32 && (bits << length) >>> 0 !== 0) return undefined
  return { address: bits.toString(16).padStart(8, '0') as Address, length }
}
