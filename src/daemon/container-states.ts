import type { Logger } from 'pino'
import type { ContainersSource } from '../api/containers.ts'
import { iterable } from '../api/pieces.ts'
import type { Config } from '../config/config.ts'
import type { Places } from '../config/places.ts'
import { type Condition, type Conditions, type Speaker, worst } from '../containers/conditions.ts'
import { ContainerList, type Standing } from '../containers/container-list.ts'
import { Damping } from '../containers/damping.ts'
import { type HealthChange, HealthChecks } from '../containers/health-checks.ts'
import { openEchoSocket } from '../dataplane/echo.ts'
import type { Discovery } from '../discovery/discovery.ts'
import type { ContainerState } from '../pipeline/snapshot.ts'

export interface ContainerStatesContext {
  readonly config: () => Config
  readonly discovery: Discovery
  readonly places: Places
  readonly publish: () => void
  readonly noteFailure: (container: string, failure: string | undefined) => void
  readonly log: () => Logger
}

/** What the operator, health checks, sources and the network say of containers, and who of them is believed: the worst. */
export class ContainerStates {
  readonly #context: ContainerStatesContext
  readonly #list: ContainerList
  readonly #health: HealthChecks
  readonly #damping: Damping
  /** Those that the network does not stand for yet. */
  #waiting: ReadonlySet<string> = new Set()

  constructor(context: ContainerStatesContext) {
    this.#context = context
    this.#list = new ContainerList(context.publish)
    this.#health = new HealthChecks((changes) => this.#turn(changes), openEchoSocket)
    this.#damping = new Damping((container) => this.#letGo(container))
  }

  /** Another config is to be published. */
  follow(config: Config, waiting: ReadonlySet<string>): void {
    this.#waiting = waiting
    this.#health.update(config)
  }

  isWaiting(container: string): boolean {
    return this.#waiting.has(container)
  }

  conditions(config = this.#context.config(), words: Iterable<Word> = this.#worse()): Conditions {
    const conditions = this.#undamped(words)
    for (const name of this.#damping.heldBack(config.services, conditions)) {
      const known = conditions.get(name) ?? { state: 'ready', weight: undefined }
      conditions.set(name, { ...known, state: 'down', by: 'flapping' })
    }
    return conditions
  }

  /** As they will be when the network stands for `config`, of which sources say `states`. */
  conditionsUnder(config: Config, states: Iterable<readonly [string, ContainerState]>): Conditions {
    const found = Array.from(states, ([name, state]): Word => [name, state, 'discovery'])
    const down = Array.from(this.#health.downUnder(config), (name): Word => [name, 'down', 'health'])
    return this.conditions(config, [...found, ...down])
  }

  *standings(config: Pick<Config, 'services'> = this.#context.config()): Generator<Standing> {
    const held = this.#heldBack(config)
    for (const listed of this.#list.standings(config)) {
      const standing = this.#health.standing(this.#context.discovery.standing(listed))
      yield held.has(standing.container) ? this.#damping.standing(standing) : standing
    }
  }

  /** What the operator asks for is in force when the call returns. */
  readonly operated: ContainersSource = {
    list: (names) => (names === undefined ? iterable(() => this.standings()) : this.#standingsOf(names)),
    drain: (names, deadlineMs) => this.#list.drain(this.#context.places, names, deadlineMs),
    undrain: (names) => this.#list.undrain(this.#context.places, names),
    weigh: (names, weight) => this.#list.weigh(this.#context.places, names, weight),
  }

  get problems(): readonly string[] {
    return this.#health.problems
  }

  /** To be called before it is published, so that the turn that is one too many is the last that clients notice. */
  damp(turnedDown: readonly string[]): void {
    const { config } = this.#context
    for (const container of turnedDown) {
      const heldMs = this.#damping.turnedDown(container, config().damping)
      if (heldMs === undefined) continue
      this.#log.warn({ container, heldMs: Math.round(heldMs) }, 'container is flapping; it is held back')
    }
  }

  /** Forgets what the operator said of containers that are gone. */
  retain(): void {
    this.#list.retain(this.#context.places)
  }

  close(): void {
    this.#health.close()
    this.#damping.close()
    this.#list.close()
  }

  get #log(): Logger {
    return this.#context.log()
  }

  #standingsOf(names: readonly string[]): readonly Standing[] {
    const { places } = this.#context
    const wanted = new Set(names)
    const found = new Set(names.flatMap((name) => [...places.servicesOf(name)]))
    const services = [...found].map((name) => places.services[places.positionOf(name)!]!)
    return [...this.standings({ services })].filter(({ container }) => wanted.has(container))
  }

  /** What is said beside what the operator says. */
  *#worse(): Iterable<Word> {
    for (const [name, state] of this.#context.discovery.states()) yield [name, state, 'discovery']
    for (const name of this.#health.down) yield [name, 'down', 'health']
    for (const name of this.#waiting) yield [name, 'down', 'network']
  }

  #undamped(words: Iterable<Word> = this.#worse()): Map<string, Condition> {
    const conditions = this.#list.conditions()
    for (const [name, state, by] of words) {
      const known = conditions.get(name) ?? { state: 'ready', weight: undefined }
      if (worst(known.state, state) !== known.state) conditions.set(name, { ...known, state, by })
    }
    return conditions
  }

  #heldBack({ services }: Pick<Config, 'services'>): ReadonlySet<string> {
    return this.#damping.heldBack(services, this.#undamped())
  }

  #letGo(container: string): void {
    this.#context.publish()
    this.#log.info({ container }, 'container is no longer flapping')
  }

  /** Published first: the log may wait for its reader. */
  #turn(changes: readonly HealthChange[]): void {
    const { config, noteFailure, publish } = this.#context
    for (const { container, failure } of changes) noteFailure(container, failure)
    this.damp(changes.flatMap(({ container, isUp }) => (isUp ? [] : [container])))
    publish()
    const held = this.#heldBack(config())
    for (const { container, isUp, failure, knownMs } of changes) {
      const publishedMs = Math.round(performance.now() - knownMs)
      if (held.has(container)) this.#log.debug({ container, isUp, failure }, 'container is held back')
      else if (isUp) this.#log.info({ container, publishedMs }, 'container is up')
      else this.#log.warn({ container, failure, publishedMs }, 'container is down')
    }
  }
}

export const stateIn =
  (conditions: Conditions) =>
  (container: string): ContainerState =>
    conditions.get(container)?.state ?? 'ready'

type Word = readonly [name: string, state: ContainerState, by: Speaker]
