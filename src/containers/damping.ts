import type { ContainerConfig, DampingConfig, ServiceConfig } from '../config/config.ts'
import type { Conditions } from './conditions.ts'
import { type Clock, type Standing, systemClock } from './container-list.ts'

/** How often a container turned down lately: each turn counts one, and all of them half as much a half-life later. */
interface Record {
  readonly turns: number
  readonly atMs: number
  /** Since when it is held back; undefined: it is not. */
  readonly heldMs: number | undefined
  /** When it is let go, or forgotten. */
  readonly untilMs: number
  readonly cancel: () => void
}

/** Turns that count at most, as a multiple of those that are borne: nobody is held back for more than three half-lives. */
const MOST = 4
/** Of those that are borne: with fewer than so many left it is let go. */
const LET_GO = 1 / 2
/** Names remembered at once. Whoever makes up more of them makes up the containers, too. */
const MOST_NAMES = 65_536

/**
 * Holds back containers that turn down again and again, as RFC 2439 does routes (section 4.2: a figure of merit that decays,
 * a limit to suppress and a lower one to use again): up to a half-life of quiet at first, longer the longer it goes on. `onLetGo`
 * is called when one is to be used again.
 */
export class Damping {
  readonly #onLetGo: (container: string) => void
  readonly #clock: Clock
  readonly #records = new Map<string, Record>()
  readonly #held = new Set<string>()

  constructor(onLetGo: (container: string) => void, clock: Clock = systemClock) {
    this.#onLetGo = onLetGo
    this.#clock = clock
  }

  /** A container turned down, or went. Returns for how long it is held back, when that begins now. */
  turnedDown(container: string, limits: DampingConfig | undefined): number | undefined {
    const before = this.#records.get(container)
    if (limits === undefined || (before === undefined && this.#records.size >= MOST_NAMES)) return undefined
    before?.cancel()
    const atMs = this.#clock.nowMs()
    const { halfLifeMs } = limits
    const left = before === undefined ? 0 : before.turns * 2 ** ((before.atMs - atMs) / halfLifeMs)
    const turns = Math.min(left + 1, MOST * limits.turns)
    const isHeld = before?.heldMs !== undefined || turns > limits.turns
    const forMs = halfLifeMs * Math.log2(turns / (LET_GO * (isHeld ? limits.turns : 1)))
    const cancel = this.#clock.after(forMs, () => this.#end(container))
    const heldMs = isHeld ? (before?.heldMs ?? atMs) : undefined
    this.#records.set(container, { turns, atMs, heldMs, untilMs: atMs + forMs, cancel })
    if (!isHeld || this.#held.has(container)) return undefined
    this.#held.add(container)
    return forMs
  }

  /** Those that are down for it. A container without which a service had nobody left for some client is borne as it is. */
  heldBack(services: readonly ServiceConfig[], conditions: Conditions): ReadonlySet<string> {
    if (this.#held.size === 0) return this.#held
    const isOther = (container: ContainerConfig) => {
      const { state = 'ready', weight } = conditions.get(container.name) ?? {}
      return state === 'ready' && (weight ?? container.weight) > 0 && !this.#held.has(container.name)
    }
    const borne = services.flatMap(({ containers }) => {
      const here = containers.filter(({ name }) => this.#held.has(name))
      return here.filter((one) => !containers.some((other) => standsIn(other, one) && isOther(other)))
    })
    const names = new Set(borne.map(({ name }) => name))
    return new Set([...this.#held].filter((name) => !names.has(name)))
  }

  /** Of one that is `heldBack`, in the place of what is said of it elsewhere: that may be another each time. */
  standing(standing: Standing): Standing {
    const { heldMs, untilMs } = this.#records.get(standing.container) ?? {}
    if (heldMs === undefined || untilMs === undefined) return standing
    const nowMs = this.#clock.nowMs()
    const sinceSeconds = Math.round((nowMs - heldMs) / 1000)
    const leftSeconds = Math.max(0, Math.round((untilMs - nowMs) / 1000))
    return { ...standing, state: 'down', reason: 'flapping', sinceSeconds, leftSeconds }
  }

  close(): void {
    for (const { cancel } of this.#records.values()) cancel()
    this.#records.clear()
    this.#held.clear()
  }

  #end(container: string): void {
    this.#records.delete(container)
    if (this.#held.delete(container)) this.#onLetGo(container)
  }
}

/** Whether it has every address family that the other has. */
const standsIn = (other: ContainerConfig, one: ContainerConfig): boolean =>
  (one.address === undefined || other.address !== undefined) &&
  (one.address6 === undefined || other.address6 !== undefined)
