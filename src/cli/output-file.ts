import {
  closeSync,
  fchmodSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { OnehopError } from '../errors.ts'

const BUFFER_BYTES = 1 << 20

/**
 * A file that appears under its name only when it is whole: written beside it and renamed by `commit`. What is no
 * regular file (/dev/null, a pipe) is written to as it is, for renaming would replace it.
 */
export class OutputFile {
  readonly #path: string
  readonly #temporaryPath: string | undefined
  readonly #file: number
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #length = 0

  constructor(path: string) {
    const existing = systemError(`stat ${path}`, () => statSync(path, { throwIfNoEntry: false }))
    if (existing?.isDirectory())
      throw new OnehopError('E_INPUT', `${path}: a folder; expected a file to write`)
    this.#path = existing === undefined ? path : realpathSync(path)
    const isReplaced = existing === undefined || existing.isFile()
    this.#temporaryPath = isReplaced ? `${this.#path}.${process.pid}.${randomSuffix()}.partial` : undefined
    this.#file = systemError(`open ${path}`, () =>
      this.#temporaryPath === undefined ? openSync(this.#path, 'w') : openSync(this.#temporaryPath, 'wx'),
    )
    if (existing?.isFile()) fchmodSync(this.#file, existing.mode & 0o777)
  }

  /** Where the next `length` bytes of the file go, at most BUFFER_BYTES; to be filled before the next call. */
  reserve(length: number): Uint8Array {
    if (length > this.#buffer.length - this.#length) this.#flush()
    const place = this.#buffer.subarray(this.#length, this.#length + length)
    this.#length += length
    return place
  }

  commit(): void {
    this.#flush()
    systemError(`close ${this.#path}`, () => closeSync(this.#file))
    const from = this.#temporaryPath
    if (from !== undefined) systemError(`rename ${this.#path}`, () => renameSync(from, this.#path))
  }

  /** Leaves nothing of what was written, and what was there before untouched. Safe after a failed commit too. */
  abandon(): void {
    try {
      closeSync(this.#file)
    } catch {
      // Closed by commit, which failed afterwards.
    }
    if (this.#temporaryPath !== undefined) unlinkIfThere(this.#temporaryPath)
  }

  #flush(): void {
    this.#writeAll(this.#buffer.subarray(0, this.#length))
    this.#length = 0
  }

  #writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; )
      at += systemError(`write ${this.#path}`, () => writeSync(this.#file, bytes, at))
  }
}

/** Two replays of one process, or a stale file of an earlier process with this number, do not meet. */
const randomSuffix = (): string => Math.random().toString(36).slice(2, 8)

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function systemError<T>(what: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    throw new OnehopError('E_SYSTEM', `${what}: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}
