import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OnehopError } from './errors.ts'

const KEY_BYTES = 16

/**
 * The 16 bytes that hashes are keyed with: the config's, or those of `<stateDir>/key`, made on first use so that a
 * source keeps its container across restarts. Throws E_SYSTEM when the file can be neither read nor made.
 */
export function loadKey(configKey: string | undefined, stateDir: string): Uint8Array {
  if (configKey !== undefined) return Buffer.from(configKey, 'hex')
  const path = join(stateDir, 'key')
  return readKey(path) ?? makeKey(stateDir, path)
}

function readKey(path: string): Uint8Array | undefined {
  const text = attempt(path, () => readFileSync(path, 'latin1'))
  if (text === undefined) return undefined
  if (!/^[0-9a-f]{32}\n?$/.test(text))
    throw new OnehopError('E_SYSTEM', `${path}: expected 32 hexadecimal digits; remove it for a new key`)
  return Buffer.from(text.trim(), 'hex')
}

/** Linked into place whole, so that neither a crash nor a second daemon ever leaves or reads half a key. */
function makeKey(stateDir: string, path: string): Uint8Array {
  const key = randomBytes(KEY_BYTES)
  const temporary = `${path}.${process.pid}`
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o750 })
    writeFileSync(temporary, `${key.toString('hex')}\n`, { mode: 0o600 })
    linkSync(temporary, path)
    return key
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return readKey(path)!
    throw new OnehopError('E_SYSTEM', `${path}: ${syscall}: ${code} (--state-dir names another folder)`, {
      cause,
    })
  } finally {
    attempt(temporary, () => unlinkSync(temporary))
  }
}

/** Undefined when the file is not there. */
function attempt<T>(path: string, act: () => T): T | undefined {
  try {
    return act()
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new OnehopError('E_SYSTEM', `${path}: ${syscall}: ${code}`, { cause })
  }
}
