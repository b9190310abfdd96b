import { Lab } from '../support/lab.ts'
import type { Leg, StartedLeg } from './leg.ts'
import type { Load } from './load.ts'
import { startServer } from './servers.ts'

export interface Plan {
  readonly legs: readonly Leg[]
  readonly loads: readonly Load[]
  readonly rounds: number
  readonly seconds: number
}

export interface Sample {
  readonly round: number
  readonly leg: string
  readonly metric: string
  readonly value: number
}

export interface Failure {
  readonly round: number
  readonly leg: string
  readonly load: string
  readonly error: string
}

export interface Measurements {
  readonly samples: readonly Sample[]
  readonly failures: readonly Failure[]
  /** What each leg said of itself in the end, by its name. */
  readonly inspections: Readonly<Record<string, unknown>>
}

export interface Listener {
  onSample(load: Load, leg: Leg, samples: readonly Sample[]): void
  onFailure(failure: Failure): void
}

/**
 * Runs every load over every leg in each round, the legs of one load right after each other and each round
 * beginning with another leg, so that what else the machine does meets all of them alike. All legs are up all
 * the time, each in a lab of its own: what one sets up in its host is not in another's way. A measurement that
 * fails is told of and the others go on.
 */
export async function measure(plan: Plan, listener: Listener): Promise<Measurements> {
  const stages: Stage[] = []
  try {
    for (const leg of plan.legs) stages.push(await Stage.open(leg, plan.loads))
    const samples: Sample[] = []
    const failures: Failure[] = []
    for (let round = 1; round <= plan.rounds; round++)
      for (const load of plan.loads)
        for (const stage of rotate(stages, round - 1)) {
          const result = await stage.run(load, round, plan.seconds)
          if ('error' in result) {
            failures.push(result)
            listener.onFailure(result)
          } else {
            samples.push(...result)
            listener.onSample(load, stage.leg, result)
          }
        }
    const inspections: Record<string, unknown> = {}
    for (const { leg, started } of stages) inspections[leg.name] = await started.inspect()
    return { samples, failures, inspections }
  } finally {
    for (const stage of stages.reverse()) await stage.close()
  }
}

/** A leg, set up in its lab. */
class Stage {
  private constructor(
    readonly leg: Leg,
    readonly lab: Lab,
    readonly started: StartedLeg,
  ) {}

  static async open(leg: Leg, loads: readonly Load[]): Promise<Stage> {
    const lab = await Lab.open({ containers: 1, http: [], udp: [] })
    try {
      await forgetClosedConnections(lab)
      const servers = [...new Set(loads.map(({ server }) => server))]
      for (const server of servers) await startServer(server, lab, lab.containers[0]!)
      const ports = servers.map(({ port }) => port)
      return new Stage(leg, lab, await leg.start(lab, ports))
    } catch (cause) {
      await lab.close()
      throw new Error(`${leg.name}: ${(cause as Error).message}`, { cause })
    }
  }

  async run(load: Load, round: number, seconds: number): Promise<readonly Sample[] | Failure> {
    const leg = this.leg.name
    try {
      const values = await load.run(this.lab.client, this.started.address, seconds)
      return load.metrics.map(({ name }, i) => ({ round, leg, metric: name, value: values[i]! }))
    } catch (error) {
      return { round, leg, load: load.name, error: (error as Error).message }
    }
  }

  async close(): Promise<void> {
    await this.started.stop()
    await this.lab.close()
  }
}

/**
 * One client address has 28,000 ports, and each stays taken for a minute after its connection: within seconds a load of
 * new connections would measure how long connect(2) searches for a free one. Many clients, which the load stands for,
 * have ports enough; so here closed connections are forgotten, in every namespace and for every leg.
 */
async function forgetClosedConnections({ client, host, containers }: Lab): Promise<void> {
  for (const namespace of [client, host, ...containers.map((container) => container.namespace)]) {
    await namespace.setSysctl('net/ipv4/tcp_max_tw_buckets', 0)
    await namespace.setSysctl('net/ipv4/ip_local_port_range', '1024 65535')
  }
}

const rotate = <T>(items: readonly T[], by: number): readonly T[] => {
  const first = by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}
