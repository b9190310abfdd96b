import { appendFileSync, readFileSync } from 'node:fs'
import type { Identities } from '../pipeline/identities.ts'

/** What a dead daemon's numbers meant. */
export interface LeftNames {
  readonly scopes: ReadonlyMap<number, string>
  readonly containers: ReadonlyMap<number, string>
}

/**
 * A file that says which names a daemon's numbers stand for: a line of JSON whenever there are new ones, written before the kernel
 * hears of them. Numbers count up from 1, so a line needs only the names.
 */
export class NamesFile {
  readonly #path: string
  #scopes = 0
  #containers = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Throws the system's error. */
  note(identities: Identities): void {
    const { scopes, containers } = identities.namesAfter(this.#scopes, this.#containers)
    if (scopes.length + containers.length === 0) return
    appendFileSync(this.#path, `${JSON.stringify({ scopes, containers })}\n`, { mode: 0o600 })
    this.#scopes += scopes.length
    this.#containers += containers.length
  }
}

/** As far as it can be read: a daemon that was killed may have left half a line. Undefined where there is no file. */
export function readNames(path: string): LeftNames | undefined {
  const lines = readLines(path)
  if (lines === undefined) return undefined
  const scopes: string[] = []
  const containers: string[] = []
  for (const line of lines) {
    const names = parseLine(line)
    if (names === undefined) break
    scopes.push(...names.scopes)
    containers.push(...names.containers)
  }
  return { scopes: numbered(scopes), containers: numbered(containers) }
}

function readLines(path: string): readonly string[] | undefined {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } catch {
    return undefined
  }
}

function parseLine(line: string): { scopes: string[]; containers: string[] } | undefined {
  try {
    const { scopes, containers } = JSON.parse(line)
    return [scopes, containers].every((names) => Array.isArray(names)) ? { scopes, containers } : undefined
  } catch {
    return undefined
  }
}

const numbered = (names: readonly string[]): ReadonlyMap<number, string> =>
  new Map(names.map((name, i) => [i + 1, name]))
