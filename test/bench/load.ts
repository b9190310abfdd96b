import type { Namespace } from '../support/lab/namespace.ts'
import type { StartedLeg } from './leg.ts'
import type { Server } from './servers.ts'
import type { Tool } from './tools.ts'

/** What a client does to an address for a while, and what is read off it. */
export interface Load {
  /** What --only and the results call it. */
  readonly name: string
  readonly metrics: readonly Metric[]
  readonly tools: readonly Tool[]
  /** Who answers it. */
  readonly server?: Server
  /** Whether the leg has what is measured: carries the protocol, has a process. Any leg unless said. */
  fits?(leg: StartedLeg): boolean
  /** Once for each leg, before its first round. */
  prepare?(client: Namespace, leg: StartedLeg): Promise<void>
  /** One value a metric, in their order. Rejects when the load did not run as it should. */
  run(client: Namespace, leg: StartedLeg, seconds: number): Promise<readonly number[]>
}

export interface Metric {
  readonly name: string
  readonly title: string
  readonly unit: 'Gbit/s' | 'µs' | '/s' | '%' | 'MB'
  readonly better: 'more' | 'less'
}
