import { Lab } from '../support/lab.ts'
import type { Leg, StartedLeg } from './leg.ts'
import type { Load } from './load.ts'
import { type Server, startServers } from './servers.ts'

export interface Plan {
  /** What the samples are to say whose they are. */
  readonly run: string
  readonly legs: readonly Leg[]
  readonly loads: readonly Load[]
  readonly rounds: number
  readonly seconds: number
}

export interface Sample {
  readonly run: string
  readonly round: number
  readonly leg: string
  readonly metric: string
  readonly value: number
}

export interface Failure {
  readonly run: string
  /** 0: before the first. */
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
  /** After each load: all that there is until then. */
  onLoad(soFar: Measurements): void
}

/**
 * Runs one load after the other, each in all rounds over every leg, the legs right after each other and each round
 * beginning with another, so that what else the machine does meets all of them alike, and what connections leave behind
 * is there in the next round as it is where they never cease. All legs are up all the time, each in a lab of its own: what
 * one sets up in its host is not in another's way, and the kernel's settings are what they are unless somebody changes
 * them. What fails, a leg that does not start or one measurement, is told of and the others go on.
 */
export async function measure(plan: Plan, listener: Listener): Promise<Measurements> {
  const run = new Run(plan.run, listener)
  try {
    await run.open(plan)
    for (const load of plan.loads) {
      await run.prepare(load)
      for (let round = 1; round <= plan.rounds; round++) await run.round(load, round, plan.seconds)
      listener.onLoad(run.measurements())
    }
    await run.inspect()
    return run.measurements()
  } finally {
    await run.close()
  }
}

class Run {
  readonly #run: string
  readonly #listener: Listener
  readonly #stages: Stage[] = []
  readonly #samples: Sample[] = []
  readonly #failures: Failure[] = []
  readonly #inspections: Record<string, unknown> = {}

  constructor(run: string, listener: Listener) {
    this.#run = run
    this.#listener = listener
  }

  measurements(): Measurements {
    return { samples: this.#samples, failures: this.#failures, inspections: this.#inspections }
  }

  async open({ legs, loads }: Plan): Promise<void> {
    for (const leg of legs)
      await this.#attempt({ round: 0, leg: leg.name, load: 'start' }, async () => {
        this.#stages.push(await Stage.open(leg, loads))
      })
  }

  async prepare(load: Load): Promise<void> {
    for (const { leg, lab, started } of this.#stagesFor(load))
      await this.#attempt({ round: 0, leg: leg.name, load: load.name }, async () => {
        await load.prepare?.(lab.client, started)
      })
  }

  async round(load: Load, round: number, seconds: number): Promise<void> {
    for (const { leg, lab, started } of rotate(this.#stagesFor(load), round - 1))
      await this.#attempt({ round, leg: leg.name, load: load.name }, async () => {
        const values = await load.run(lab.client, started, seconds)
        const samples = load.metrics.map(({ name }, i) => ({
          ...{ run: this.#run, round, leg: leg.name },
          metric: name,
          value: values[i]!,
        }))
        this.#samples.push(...samples)
        this.#listener.onSample(load, leg, samples)
      })
  }

  #stagesFor(load: Load): readonly Stage[] {
    return this.#stages.filter(({ started }) => load.fits?.(started) !== false)
  }

  async inspect(): Promise<void> {
    for (const { leg, started } of this.#stages)
      await this.#attempt({ round: 0, leg: leg.name, load: 'inspect' }, async () => {
        this.#inspections[leg.name] = await started.inspect()
      })
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#stages.map((stage) => stage.close()))
  }

  async #attempt(what: Omit<Failure, 'run' | 'error'>, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      const failure = { run: this.#run, ...what, error: (error as Error).message }
      this.#failures.push(failure)
      this.#listener.onFailure(failure)
    }
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
    const lab = await Lab.open({ containers: 1, http: [], udp: [], ...leg.lab })
    try {
      const servers = [...new Set(loads.flatMap(({ server }) => server ?? []))]
      if (!leg.bringsContainer) await startIn(lab, servers)
      return new Stage(leg, lab, await leg.start(lab, servers))
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  async close(): Promise<void> {
    try {
      await this.started.stop()
    } finally {
      await this.lab.close()
    }
  }
}

const startIn = async (lab: Lab, servers: readonly Server[]): Promise<void> => {
  for (const { namespace } of lab.containers) await startServers(servers, lab, namespace)
}

const rotate = <T>(items: readonly T[], by: number): readonly T[] => {
  const first = items.length === 0 ? 0 : by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}
