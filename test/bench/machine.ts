import { cpus, loadavg, release, totalmem } from 'node:os'

/** What the figures were measured on. */
export interface Machine {
  readonly kernel: string
  readonly processor: string
  readonly processors: number
  readonly memoryGb: number
  readonly node: string
  /** How busy it was when the run began: processes, over the last minute. */
  readonly load: number
}

export const describeMachine = (): Machine => ({
  kernel: release(),
  processor: cpus()[0]?.model ?? 'unknown',
  processors: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  load: loadavg()[0]!,
})

/** A daemon's thread, the client and the servers want two processors to themselves. */
export const isBusy = ({ load, processors }: Machine): boolean => load >= processors / 4
