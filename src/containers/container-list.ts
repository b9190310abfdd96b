import type { Config } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import type { Condition, State } from './conditions.ts'

/** How a container stands in one service, and why. */
export interface Standing {
  readonly service: string
  readonly container: string
  readonly state: State
  /** Its share of new sources, 0–256. */
  readonly weight: number
  /** `config`: as configured; `operator`: someone said so; `deadline`: the time given for draining is over; `health`: a check failed; `discovery`: its source says so; `flapping`: it turned down too often. */
  readonly reason: 'config' | 'operator' | 'deadline' | 'health' | 'discovery' | 'flapping'
  /** How long it has been in this state; undefined where it always was. */
  readonly sinceSeconds: number | undefined
  /** Until it goes from draining to down, or is used again after flapping; undefined without a deadline. */
  readonly leftSeconds: number | undefined
}

/** What an operator said of a container; it holds in all its services. */
interface Order {
  drain?: Drain | undefined
  weight?: number
}

interface Drain {
  readonly state: 'draining' | 'down'
  readonly sinceMs: number
  readonly deadlineMs: number | undefined
  /** Calls the deadline off. */
  readonly cancel: (() => void) | undefined
}

/** Which containers there are, by name. */
export interface Known {
  has(container: string): boolean
}

/** What the list has of time. */
export interface Clock {
  /** Never goes back. */
  nowMs(): number
  /** Calls `act` once after `ms`; what it returns calls that off. */
  after(ms: number, act: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}

/** What setTimeout can wait is 24 days; a longer one would fire at once. */
export const LONGEST_DEADLINE_MS = 7 * 86_400_000

/**
 * The container list: a config's containers with what the operator has said of them. `onChange` is called once a
 * change, however many containers it names. Holds at most one order a container of the config.
 */
export class ContainerList {
  readonly #orders = new Map<string, Order>()
  readonly #onChange: () => void
  readonly #clock: Clock

  constructor(onChange: () => void, clock: Clock = systemClock) {
    this.#onChange = onChange
    this.#clock = clock
  }

  /** Known clients stay, new ones go elsewhere; after `deadlineMs` it is down. Throws E_USAGE for a name not in `known`. */
  drain(known: Known, names: readonly string[], deadlineMs: number | undefined): void {
    this.#change(known, names, (order, name) => {
      order.drain?.cancel?.()
      const cancel =
        deadlineMs === undefined ? undefined : this.#clock.after(deadlineMs, () => this.#end(name))
      order.drain = { state: 'draining', ...this.#since(order), deadlineMs: this.#in(deadlineMs), cancel }
    })
  }

  /** Takes back `drain`. */
  undrain(known: Known, names: readonly string[]): void {
    this.#change(known, names, (order) => {
      order.drain?.cancel?.()
      order.drain = undefined
    })
  }

  /** Overrides the config's weight, 0–256. */
  weigh(known: Known, names: readonly string[], weight: number): void {
    this.#change(known, names, (order) => {
      order.weight = weight
    })
  }

  /** Of the containers that an operator said something of. */
  conditions(): Map<string, Condition> {
    return new Map(
      Array.from(this.#orders, ([name, { drain, weight }]) => [
        name,
        {
          state: drain?.state ?? 'ready',
          weight,
          by: drain && (drain.state === 'down' ? 'deadline' : 'operator'),
        },
      ]),
    )
  }

  /** Forgets what was said of containers that a reload took away. */
  retain(known: Known): void {
    for (const [name, { drain }] of this.#orders)
      if (!known.has(name)) {
        drain?.cancel?.()
        this.#orders.delete(name)
      }
  }

  *standings({ services }: Pick<Config, 'services'>): Generator<Standing> {
    for (const service of services)
      for (const { name, weight } of service.containers)
        yield { service: service.name, container: name, ...this.#standing(name, weight) }
  }

  close(): void {
    for (const { drain } of this.#orders.values()) drain?.cancel?.()
    this.#orders.clear()
  }

  #standing(name: string, configWeight: number): Omit<Standing, 'service' | 'container'> {
    const order = this.#orders.get(name)
    const { state = 'ready', sinceMs, deadlineMs } = order?.drain ?? {}
    const isOrdered = order?.drain !== undefined || order?.weight !== undefined
    return {
      state,
      weight: order?.weight ?? configWeight,
      reason: state === 'down' ? 'deadline' : isOrdered ? 'operator' : 'config',
      sinceSeconds: sinceMs === undefined ? undefined : seconds(this.#clock.nowMs() - sinceMs),
      leftSeconds: deadlineMs === undefined ? undefined : seconds(deadlineMs - this.#clock.nowMs()),
    }
  }

  /** All of them or, when one is unknown, none. */
  #change(known: Known, names: readonly string[], change: (order: Order, name: string) => void): void {
    const unknown = names.find((name) => !known.has(name))
    if (unknown !== undefined)
      throw new OnehopError(
        'E_USAGE',
        `"${unknown}" is no container; expected one of: onehop containers list`,
      )
    for (const name of names) {
      const order = this.#orders.get(name) ?? {}
      change(order, name)
      if (order.drain === undefined && order.weight === undefined) this.#orders.delete(name)
      else this.#orders.set(name, order)
    }
    this.#onChange()
  }

  /** A new deadline for one that is draining already does not begin its draining anew. */
  #since({ drain }: Order): Pick<Drain, 'sinceMs'> {
    return { sinceMs: drain?.state === 'draining' ? drain.sinceMs : this.#clock.nowMs() }
  }

  #in(deadlineMs: number | undefined): number | undefined {
    return deadlineMs === undefined ? undefined : this.#clock.nowMs() + deadlineMs
  }

  #end(name: string): void {
    const order = this.#orders.get(name)
    if (order?.drain === undefined) return
    order.drain = { state: 'down', sinceMs: this.#clock.nowMs(), deadlineMs: undefined, cancel: undefined }
    this.#onChange()
  }
}

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 1000))
