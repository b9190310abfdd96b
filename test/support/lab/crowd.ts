import { join } from 'node:path'
import { type Lab, PUBLIC, PUBLIC6 } from '../lab.ts'
import type { Running } from './running.ts'

/** What many clients met in a phase; test/support/servers/clients.py says what each is. */
export interface Phase {
  readonly phase: string
  readonly answers: number
  readonly lost: number
  readonly longest: number
  readonly p99: number
  readonly moved: number
  readonly broken: number
  readonly newcomers: readonly number[]
  readonly unanswered: number
}

const PROGRAM = join(import.meta.dirname, '..', 'servers', 'clients.py')

/** Clients who ask all the time, for tests of what they notice. */
export class Crowd {
  readonly #running: Running
  #phases = 0

  private constructor(running: Running) {
    this.#running = running
  }

  /** `intervalSeconds`: how long each of them waits from one request to the next. */
  static start({ client }: Lab, clients: number, intervalSeconds: number): Crowd {
    return new Crowd(
      client.start(['/usr/bin/python3', PROGRAM, String(clients), String(intervalSeconds), PUBLIC, PUBLIC6]),
    )
  }

  /** Ends a phase and begins the next. */
  async next(name: string): Promise<Phase> {
    const count = ++this.#phases
    this.#running.child.stdin!.write(`${name}\n`)
    await this.#running.until(({ lines }) => lines.length >= count, `the end of a phase before ${name}`)
    return JSON.parse(this.#running.lines[count - 1]!) as Phase
  }

  /** Phases of the same name until one is as wanted. */
  async until(name: string, isWanted: (phase: Phase) => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      if (await isWanted(await this.next(name))) return
    }
    throw new Error(`no phase ${name} was as wanted within 30 s`)
  }

  async stop(): Promise<void> {
    this.#running.child.stdin!.end()
    await this.#running.exited
  }
}
