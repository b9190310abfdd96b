import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { OnehopError } from '../../errors.ts'
import { isTerminal } from '../context.ts'

/** Packets' contents are for nobody else. */
const FILE_MODE = 0o600

/** Where a capture goes: written as it comes, so that the file is whole whenever it is looked at. */
export class CaptureOutput {
  readonly #to: Writable | { readonly path: string; readonly file: number }

  constructor(to: Writable | { readonly path: string; readonly file: number }) {
    this.#to = to
  }

  /** `-`: standard output. What stands there is replaced; what is no regular file, such as a named pipe, is written to as it is. */
  static open(path: string, stdout: Writable): CaptureOutput {
    if (path === '-') return new CaptureOutput(stdout)
    return attempt(`open ${path}`, () => {
      const file = openSync(path, 'w', FILE_MODE)
      if (fstatSync(file).isFile()) fchmodSync(file, FILE_MODE)
      return new CaptureOutput({ path, file })
    })
  }

  async write(bytes: Buffer): Promise<void> {
    const to = this.#to
    if (!('file' in to)) return new Promise((resolve) => void to.write(bytes, () => resolve()))
    for (let at = 0; at < bytes.length; )
      at += attempt(`write ${to.path}`, () => writeSync(to.file, bytes, at))
  }

  /** Nobody reads the pipe any more. */
  get isGone(): boolean {
    return !('file' in this.#to) && this.#to.destroyed
  }

  close(): void {
    if ('file' in this.#to) closeSync(this.#to.file)
  }
}

/** Throws E_USAGE for bytes that a terminal would show. */
export function refuseTerminal(path: string, stdout: Writable): void {
  if (path === '-' && isTerminal(stdout))
    throw new OnehopError(
      'E_USAGE',
      'captured bytes are not for a terminal; expected -w FILE, or a pipe behind -w -',
    )
}

function attempt<T>(what: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    throw new OnehopError('E_SYSTEM', `${what}: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}
