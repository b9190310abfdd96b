import { PrefixTable } from '../prefix-table.ts'

/**
 * Whether two parts of configs say the same. What is undefined is as good as not there, and tables of prefixes, of which there may be a
 * million rows, are compared as they are packed.
 */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a instanceof PrefixTable) return b instanceof PrefixTable && a.isSameAs(b)
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((part, i) => isSame(part, b[i]))
  if (!isParts(a) || !isParts(b)) return false
  return Object.keys({ ...a, ...b }).every((key) => isSame(a[key], b[key]))
}

const isParts = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
