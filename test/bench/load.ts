import type { Namespace } from '../support/lab/namespace.ts'
import type { Server } from './servers.ts'
import type { Tool } from './tools.ts'

/** What a client does to an address for a while, and what is read off it. */
export interface Load {
  /** What --only and the results call it. */
  readonly name: string
  readonly metrics: readonly Metric[]
  readonly tools: readonly Tool[]
  readonly server: Server
  /** One value a metric, in their order. Rejects when the load did not run as it should. */
  run(client: Namespace, address: string, seconds: number): Promise<readonly number[]>
}

export interface Metric {
  readonly name: string
  readonly title: string
  readonly unit: 'Gbit/s' | 'µs' | '/s'
}
