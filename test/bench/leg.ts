import type { Lab } from '../support/lab.ts'
import type { Tool } from './tools.ts'

/** One way from a client to a container, measured beside the others. Each has a lab of its own. */
export interface Leg {
  /** What --legs and the results call it. */
  readonly name: string
  readonly title: string
  readonly tools: readonly Tool[]
  /** Sets the way up. `ports` are those that the servers in the container listen on. */
  start(lab: Lab, ports: readonly number[]): Promise<StartedLeg>
}

export interface StartedLeg {
  /** Where the client finds the container's ports, under the same numbers. */
  readonly address: string
  /** After the last measurement: proves that the traffic went this way, or throws; what it returns is kept in the results. */
  inspect(): Promise<unknown>
  stop(): Promise<void>
}
