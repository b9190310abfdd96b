import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { OnehopError } from '../errors.ts'

/**
 * What cannot tell by itself that it was changed by us: sysctls. The journal of a TUN is written before the
 * first change and taken away after the last undoing, so it also says that a set-up has begun.
 */
export interface Journal {
  readonly sysctls: readonly SysctlEntry[]
}

export interface SysctlEntry {
  /** As under /proc/sys: `net/ipv4/conf/eth0/forwarding`. */
  readonly key: string
  /** What it was, to be put back unless it is no longer `value`. */
  readonly before: string
  readonly value: string
  /** Sysctls that putting `before` back resets, though they were like `value` by themselves. */
  readonly kept?: readonly string[] | undefined
}

const KEY = /^net\/ipv[46]\/(?:conf|neigh)\/(?!\.\.?\/)[^/]+\/[a-z_]+$/

const journalSchema = z.strictObject({
  version: z.literal(1),
  sysctls: z.array(
    z.strictObject({
      key: z.string().regex(KEY),
      before: z.string().regex(/^-?[0-9]+$/),
      value: z.string().regex(/^-?[0-9]+$/),
      kept: z.array(z.string().regex(KEY)).optional(),
    }),
  ),
})

const SUFFIX = '.network.json'

export const journalPath = (runDir: string, tun: string): string => join(runDir, `${tun}${SUFFIX}`)

/** All journals of a run directory by their TUN's name; none when there is no such directory. */
export function readJournals(runDir: string): ReadonlyMap<string, Journal> {
  const names = listDirectory(runDir).filter((name) => name.endsWith(SUFFIX))
  return new Map(
    names.map((name) => [name.slice(0, -SUFFIX.length), readJournal(join(runDir, name))] as const),
  )
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw fileError(path, cause)
  }
}

function readJournal(path: string): Journal {
  try {
    return journalSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall !== undefined) throw fileError(path, cause)
    const message = `${path}: no journal of this version; expected what onehop wrote there (delete it to go on without)`
    throw new OnehopError('E_NETWORK', message, { cause })
  }
}

/** Replaces the journal in one step, or takes it away when it is undefined. */
export function writeJournal(runDir: string, tun: string, journal: Journal | undefined): void {
  const path = journalPath(runDir, tun)
  try {
    if (journal === undefined) {
      rmSync(`${path}.new`, { force: true })
      rmSync(path, { force: true })
      return
    }
    mkdirSync(runDir, { recursive: true, mode: 0o755 })
    writeFileSync(`${path}.new`, `${JSON.stringify({ version: 1, ...journal }, null, 1)}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (cause) {
    throw fileError(path, cause)
  }
}

function fileError(path: string, cause: unknown): OnehopError {
  const { syscall, code } = cause as NodeJS.ErrnoException
  return new OnehopError('E_SYSTEM', `${path}: ${syscall}: ${code}`, { cause })
}
