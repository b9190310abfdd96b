import { join } from 'node:path'
import type { Namespace } from './namespace.ts'
import type { Running } from './running.ts'

const FOLDER = join(import.meta.dirname, '..', 'servers')

/** A program of test/support/servers in a namespace that does what it is asked; methods.mjs is its other end. */
export class Program {
  readonly #running: Running
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #asked = 0

  private constructor(running: Running) {
    this.#running = running
    running.child.on('message', (message) => this.#settle(message as Answer))
    const fail = () => this.#failAll()
    running.exited.then(fail, fail)
  }

  static async start(namespace: Namespace, file: string, ...argv: readonly string[]): Promise<Program> {
    const running = namespace.start([process.execPath, join(FOLDER, file), ...argv], { ipc: true })
    await running.until(({ stdout }) => stdout.includes('ready\n'), 'ready')
    return new Program(running)
  }

  ask<Result>(method: string, argument: Readonly<Record<string, unknown>> = {}): Promise<Result> {
    const id = ++this.#asked
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Result), reject })
      this.#running.child.send({ id, method, argument }, (error) => {
        if (error) this.#settle({ id, error: { message: error.message } })
      })
    })
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error) waiting?.reject(Object.assign(new Error(error.message), { code: error.code }))
    else waiting?.resolve(result)
  }

  #failAll(): void {
    for (const id of [...this.#waiting.keys()])
      this.#settle({ id, error: { message: `${this.#running.command} ended: ${this.#running.stderr}` } })
  }
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: { readonly message: string; readonly code?: string }
}
