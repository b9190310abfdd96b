import { createHash, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { OnehopError } from '../errors.ts'

const LEAST_CHARACTERS = 16
const MOST_BYTES = 4_096
/** Whoever else may read the file may do what the token allows. */
const OTHERS = 0o077

/** The token of a file, without the line's end. Throws E_SYSTEM for a file that others may read, or that holds no token. */
export function readToken(path: string): string {
  const refuse = (why: string, cause?: unknown) =>
    new OnehopError('E_SYSTEM', `${path}: ${why}`, cause === undefined ? {} : { cause })
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    throw refuse(`open: ${(cause as NodeJS.ErrnoException).code}; expected a file with a token`, cause)
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw refuse('no regular file; expected a file with a token')
    if ((stat.mode & OTHERS) !== 0)
      throw refuse(
        `mode 0${(stat.mode & 0o777).toString(8)}; expected one that its owner alone may read (0600)`,
      )
    const bytes = Buffer.alloc(MOST_BYTES)
    const text = bytes.toString('latin1', 0, readSync(file, bytes)).trim()
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(text) || text.length < LEAST_CHARACTERS)
      throw refuse(
        `no token; expected at least ${LEAST_CHARACTERS} letters, digits or ._~+/-= (RFC 6750), such as: openssl rand -hex 32`,
      )
    return text
  } finally {
    closeSync(file)
  }
}

/** Whether an Authorization header brings the token. Takes as long for any other one. */
export function bringsToken(header: string | undefined, token: string): boolean {
  const [, given = ''] = /^Bearer +([^ ]+) *$/i.exec(header ?? '') ?? []
  return timingSafeEqual(digest(given), digest(token))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
