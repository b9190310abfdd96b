import type { Agent, AskOptions } from '../lab/agent.ts'
import { untilTrue } from '../lab/until.ts'
import { clientAddress } from '../lab.ts'

export interface Failure {
  readonly client: number
  /** Who served the client last. */
  readonly container: string
  readonly atMs: number
  readonly error: string
}

export interface Move {
  readonly client: number
  readonly from: string
  readonly to: string
}

/** Each waits a little between two requests, as people do; not for anything to happen. */
const PAUSE_MS = 20

/** Clients that ask one after the other, each for itself and each time over a connection of its own, until they are stopped. */
export class Visitors {
  readonly failures: Failure[] = []
  readonly moves: Move[] = []
  readonly #served = new Map<number, string>()
  readonly #counts: number[]
  readonly #visits: readonly Promise<void>[]
  readonly #patience: AskOptions
  #isOver = false

  /** `timeoutMs`: when a client gives up on an answer. */
  constructor(agent: Agent, url: string, count: number, timeoutMs?: number) {
    this.#patience = timeoutMs === undefined ? {} : { timeoutMs }
    this.#counts = Array.from({ length: count }, () => 0)
    this.#visits = this.#counts.map((_, client) => this.#visit(agent, url, client))
  }

  get answers(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0)
  }

  /** Resolves when each has had so many answers more. */
  async untilEachServed(times: number): Promise<void> {
    const before = [...this.#counts]
    await untilTrue(() => this.#counts.every((count, n) => count >= before[n]! + times), 'each is served')
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#visits)
  }

  async #visit(agent: Agent, url: string, client: number): Promise<void> {
    while (!this.#isOver) {
      try {
        const { container } = await agent.who(url, { from: clientAddress(client), ...this.#patience })
        this.#answered(client, container)
      } catch (error) {
        const container = this.#served.get(client) ?? 'nobody'
        this.failures.push({ client, container, atMs: performance.now(), error: (error as Error).message })
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  #answered(client: number, container: string): void {
    const before = this.#served.get(client)
    if (before !== undefined && before !== container) this.moves.push({ client, from: before, to: container })
    this.#served.set(client, container)
    this.#counts[client] = this.#counts[client]! + 1
  }
}
