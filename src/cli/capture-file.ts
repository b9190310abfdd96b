import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { OnehopError } from '../errors.ts'

const CHUNK_BYTES = 1 << 20

/** A capture file open for reading, as often as needed, from its start. */
export class CaptureFile {
  readonly path: string
  readonly #file: number

  /** Throws E_INPUT when there is no regular file: a pipe could not be read twice. */
  constructor(path: string) {
    this.path = path
    this.#file = inputError(path, () => openSync(path, 'r'))
    if (fstatSync(this.#file).isFile()) return
    closeSync(this.#file)
    throw new OnehopError('E_INPUT', `${path}: expected a regular file`)
  }

  /** The file's bytes; every chunk is the same buffer, filled anew. */
  *chunks(): Generator<Uint8Array> {
    const buffer = new Uint8Array(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const at = position
      const length = inputError(this.path, () => readSync(this.#file, buffer, 0, buffer.length, at))
      if (length === 0) return
      yield buffer.subarray(0, length)
      position += length
    }
  }

  isSameAs(path: string): boolean {
    const other = statSync(path, { throwIfNoEntry: false })
    const own = fstatSync(this.#file)
    return other !== undefined && other.dev === own.dev && other.ino === own.ino
  }

  close(): void {
    closeSync(this.#file)
  }
}

function inputError<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    const { syscall, code } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_INPUT', `${path}: ${syscall}: ${code}; expected a capture file`, { cause })
  }
}
