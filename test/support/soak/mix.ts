import { Program } from '../lab/program.ts'
import { type Lab, PUBLIC, PUBLIC6 } from '../lab.ts'

/** A request that failed: whose, where it was known, and what happened after how long. */
export interface Failure {
  readonly at: string
  readonly kind: string
  readonly from: string
  readonly container?: string
  readonly message: string
  readonly code?: string
  readonly afterMs: number
}

/** Since they were last asked for. */
export interface Figures {
  readonly requests: number
  readonly failed: number
  /** The first hundred. */
  readonly failures: readonly Failure[]
  readonly kinds: Readonly<Record<string, number>>
  /** Answers by container. */
  readonly containers: Readonly<Record<string, number>>
  readonly medianMs: number
  readonly p99Ms: number
}

export interface MixOptions {
  readonly clients: number
  readonly perSecond: number
}

/** Mixed traffic in the client's namespace; test/support/servers/mixed.mjs says what it is. */
export class Mix {
  readonly #program: Program

  private constructor(program: Program) {
    this.#program = program
  }

  /** Does nothing before `resume`. */
  static async start({ client }: Lab, options: MixOptions): Promise<Mix> {
    const argument = JSON.stringify({ ...options, service: { 4: PUBLIC, 6: PUBLIC6 } })
    return new Mix(await Program.start(client, 'mixed.mjs', argument))
  }

  resume = (): Promise<void> => this.#program.ask('resume')
  /** Resolves when nothing is in flight and no connection open. */
  pause = (): Promise<void> => this.#program.ask('pause')
  figures = (): Promise<Figures> => this.#program.ask('figures')

  /**
   * Has the clients of a drained container end what they are at, does to it what they must not be there for, and sends
   * them elsewhere. From then on an answer from it is a failure, until it is allowed again.
   */
  async without(container: string, act: () => Promise<void>): Promise<void> {
    await this.#program.ask('leave', { container })
    await act()
    await this.#program.ask('goElsewhere', { container })
  }

  allow = (container: string): Promise<void> => this.#program.ask('allow', { container })
}
