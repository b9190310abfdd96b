import type { Lab, LabOptions } from '../support/lab.ts'
import type { Sources } from './datagrams.ts'
import type { Server } from './servers.ts'
import type { Tool } from './tools.ts'

/** One way from a client to a container, measured beside the others. Each has a lab of its own. */
export interface Leg {
  /** What --legs and the results call it. */
  readonly name: string
  readonly title: string
  readonly tools: readonly Tool[]
  /** What differs from one client, a host and a container. */
  readonly lab?: LabOptions
  /** The servers are the leg's to start, in a container of its own; otherwise they listen in the lab's. */
  readonly bringsContainer?: true
  /** Sets the way up. */
  start(lab: Lab, servers: readonly Server[]): Promise<StartedLeg>
}

export interface StartedLeg {
  /** Where the client finds the servers, under their own ports. */
  readonly address: string
  readonly carries: 'tcp' | 'tcp and udp'
  /** The process that forwards, where there is one; its children count as it. */
  readonly pid?: number
  /** Whom datagrams come from; the client's own address unless said. */
  readonly sources?: Sources
  /** Before each load of datagrams. */
  beforeDatagrams?(): Promise<void>
  /** After the last measurement: proves that the traffic went this way, or throws; what it returns is kept in the results. */
  inspect(): Promise<unknown>
  stop(): Promise<void>
}
