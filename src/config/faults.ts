import type { z } from 'zod'
import { type Issue, MOST_SHOWN, nearest, type Path, quoteValue } from './issue.ts'

/** An issue in its parts: the value as errors quote it, and what its schema expected in its place. */
export interface Fault extends Issue {
  readonly value: string
  readonly expected: string
}

/** zod's issue in onehop's words. `root` is what was read, `above` where the issue's path begins in it. */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown, above: Path = []): readonly Fault[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, MOST_SHOWN)
      .map((key) => describeUnknownKey(key, path, issue.message.split(' ').filter(Boolean)))
  const found = path.reduce(childOf, root)
  const value = found === undefined || found === null ? 'missing' : quoteValue(found)
  const expected = issue.message
  return [{ path, at: 'value', value, expected, message: `${value}; expected ${expected}` }]
}

function describeUnknownKey(key: string, path: Path, known: readonly string[]): Fault {
  const meant = nearest(key, known)
  const expected = meant ?? (known.length === 0 ? 'none' : `one of ${known.join(', ')}`)
  const value = `unknown key ${quoteValue(key)}`
  const hint = meant === undefined ? `expected ${expected}` : `did you mean ${meant}?`
  return { path: [...path, key], at: 'key', value, expected, message: `${value}; ${hint}` }
}

/** Values come from YAML, JSON or flags: mappings without a prototype's own keys, lists, and scalars. */
export const childOf = (value: unknown, step: PropertyKey): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<PropertyKey, unknown>)[step]
    : undefined
