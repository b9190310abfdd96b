import { type ChildProcess, fork } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answer, Request } from './messages.ts'

/** Why the store cannot be read or written. `isFault`: its files are not as they should be. */
export class StoreFailure extends Error {
  constructor(
    message: string,
    readonly isFault: boolean,
  ) {
    super(message)
  }
}

interface Pending {
  readonly request: Request
  readonly sinceMs: number
  readonly onRecord: (record: Uint8Array) => void
  readonly resolve: () => void
  readonly reject: (failure: StoreFailure) => void
}

/** process.ts from here: one request at a time. Whatever goes wrong ends it. */
export class StoreProcess {
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #pending: Pending | undefined
  #hasEnded = false

  constructor(folder: string) {
    this.#folder = folder
    const program = fileURLToPath(new URL(`./process${extname(import.meta.url)}`, import.meta.url))
    this.#child = fork(program, [folder], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child.on('message', (answer: Answer) => this.#take(answer))
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => this.#end(error.message, false, resolve))
      this.#child.on('exit', (code, signal) =>
        this.#end(`its process ended by ${signal ?? `exit ${code}`}`, signal !== null, resolve),
      )
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** How long the request under way has been waiting for its answer; 0 without one. */
  get waitingMs(): number {
    return this.#pending === undefined ? 0 : performance.now() - this.#pending.sinceMs
  }

  /** Rejects with StoreFailure, and then the process has ended or is about to. */
  ask(request: Request, onRecord: (record: Uint8Array) => void = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending = { request, sinceMs: performance.now(), onRecord, resolve, reject }
      if (this.#hasEnded) this.#fail(new StoreFailure(`${this.#folder}: its process has ended`, false))
      else this.#child.send(request, () => {})
    })
  }

  /** Ends the process, which finishes what it is writing first. Resolves when it has ended. */
  close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    return this.#ended
  }

  #take(answer: Answer): void {
    if (answer.kind === 'record') this.#pending?.onRecord(answer.record)
    else if (answer.kind === 'failed') this.#fail(new StoreFailure(answer.message, answer.isFault))
    else this.#settle()?.resolve()
  }

  /** A signal while it reads is what damage does to a file that is mapped: SIGSEGV mostly, SIGBUS behind its end. */
  #end(how: string, isSignal: boolean, resolve: () => void): void {
    this.#hasEnded = true
    const isFault = isSignal && this.#pending?.request.kind === 'read'
    this.#fail(new StoreFailure(`${this.#folder}: ${how}`, isFault))
    resolve()
  }

  #fail(failure: StoreFailure): void {
    this.#settle()?.reject(new StoreFailure(failure.message + spaceLeft(this.#folder), failure.isFault))
  }

  #settle(): Pending | undefined {
    const pending = this.#pending
    this.#pending = undefined
    return pending
  }
}

const LITTLE_BYTES = 1024 * 1024

/** A full disk shows itself in many ways; LMDB dies of SIGBUS when its lock file finds no room. */
function spaceLeft(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize < LITTLE_BYTES ? ` (disk full: ${bavail * bsize} bytes left)` : ''
  } catch {
    return ''
  }
}
