import type { Address } from '../address.ts'
import type { Config, ServiceConfig } from '../config/config.ts'
import { isSame } from '../config/same.ts'
import type { SourceConfig } from '../config/sources.ts'
import { type State, worst } from '../containers/conditions.ts'
import type { Standing } from '../containers/container-list.ts'
import type { LabelledService } from './docker/labels.ts'
import { openDockerLabels } from './docker.ts'
import { Feed, type FeedTurn, type OpenFeed, type SourceStatus, type SourceTurn } from './feed.ts'
import { admitServices } from './labelled.ts'
import { type Merged, mergeDiscovered } from './merge.ts'
import type { Discovered, OpenSource } from './source.ts'
import { openSource } from './sources.ts'

export type { SourceStatus, SourceTurn }

export interface DiscoveryListener {
  /** Lists have changed; called once a round of the event loop, however many. `knownMs`: since when, performance.now()'s. */
  onChange(knownMs: number): void
  /** A source answers, or fails. */
  onTurn(turn: SourceTurn): void
  /** Something could not be taken, which could be before. */
  onProblem(problem: string): void
}

/**
 * The sources that a config names, at work: what they know is kept for as long as the config asks for it, also while they
 * fail. Services that ask the same share one source.
 */
export class Discovery {
  readonly #listener: DiscoveryListener
  readonly #open: OpenSource<SourceConfig>
  readonly #feeds = new Map<string, Feed<Discovered>>()
  /** Services described by containers' labels, by the engine's socket. */
  readonly #labels = new Map<string, Feed<LabelledService>>()
  #knownMs: number | undefined
  #problems: ReadonlySet<string> = new Set()
  /** Public addresses that labels may not have, and why. */
  #refused: ReadonlyMap<Address, string> = new Map()
  /** As of the last `merge`. */
  #services: ReadonlyMap<string, ServiceConfig> = new Map()
  /** Of containers that a source does not call ready. */
  #states: ReadonlyMap<string, Dated> = new Map()

  constructor(listener: DiscoveryListener, open: OpenSource<SourceConfig> = openSource) {
    this.#listener = listener
    this.#open = open
  }

  /** Opens what `config` asks for and is not open; nothing is closed, for the config in force may need it: `retain`. */
  open(config: Config): void {
    for (const source of sourcesOf(config)) {
      const key = nameOf(source)
      if (!this.#feeds.has(key))
        this.#feeds.set(
          key,
          this.#feed<Discovered>(key, (listener) => this.#open(source, listener), countItems),
        )
    }
    if (config.docker === undefined || this.#labels.has(config.docker.socket)) return
    const { socket } = config.docker
    const name = `docker labels, socket ${socket}`
    this.#labels.set(
      socket,
      this.#feed(name, (listener) => openDockerLabels({ socket }, listener), countContainers),
    )
  }

  /** Closes what `config` does not ask for. */
  retain(config: Config): void {
    const wanted = new Set(sourcesOf(config).map(nameOf))
    closeOthers(this.#feeds, (key) => wanted.has(key))
    closeOthers(this.#labels, (socket) => socket === config.docker?.socket)
  }

  /** Resolves when each source has said something, or after `mostMs`. */
  async heard(mostMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, mostMs)
    })
    await Promise.race([Promise.all(this.#all().map(({ heard }) => heard)), late])
    clearTimeout(timer)
  }

  /** The config with all that is known now, as if it had been written there. */
  merge(config: Config): Config {
    const { config: merged, states, problems } = this.#merged(config)
    this.#states = new Map([...states].map(([name, state]) => [name, this.#dated(name, state)]))
    this.#tellProblems([...this.#all().flatMap((feed) => feed.problems), ...problems])
    const services = merged.services.map((service) => this.#asItWas(service))
    this.#services = new Map(services.map((service) => [service.name, service]))
    return { ...merged, services }
  }

  /** What `merge` would make of a config, by the sources that are open; and those that are not. */
  preview(config: Config): Pick<Merged, 'config' | 'states'> & { readonly unheard: readonly string[] } {
    const { config: merged, states } = this.#merged(config)
    const services = merged.services.map((service) => this.#asItWas(service))
    const labels =
      config.docker === undefined || this.#labels.has(config.docker.socket) ? [] : ['docker labels']
    const unheard = sourcesOf(config)
      .map(nameOf)
      .filter((key) => !this.#feeds.has(key))
    return { config: { ...merged, services }, states, unheard: [...labels, ...new Set(unheard)] }
  }

  /** A service that is as it was is the same object as it was: nothing of it needs to be compiled again. */
  #asItWas(service: ServiceConfig): ServiceConfig {
    const earlier = this.#services.get(service.name)
    return earlier !== undefined && isSame(earlier, service) ? earlier : service
  }

  /** Labels' services with these addresses are left out, each for its reason, for as long as labels name them. */
  refuse(addresses: ReadonlyMap<Address, string>): void {
    this.#refused = new Map([...this.#refused, ...addresses])
  }

  /** What its sources say of containers that are not ready, as of the last `merge`. */
  *states(): Iterable<readonly [container: string, state: State]> {
    for (const [name, { state }] of this.#states) yield [name, state]
  }

  /** The same, but not as of any later one. */
  statesNow(): (container: string) => State {
    const states = this.#states
    return (container) => states.get(container)?.state ?? 'ready'
  }

  /** What is said of a container elsewhere, overruled where its source knows worse. */
  standing(standing: Standing): Standing {
    const found = this.#states.get(standing.container)
    if (found === undefined || worst(found.state, standing.state) === standing.state) return standing
    const sinceSeconds = Math.round((performance.now() - found.sinceMs) / 1000)
    return { ...standing, state: found.state, reason: 'discovery', sinceSeconds, leftSeconds: undefined }
  }

  /** What could not be taken at the last `merge`, and why. */
  get problems(): readonly string[] {
    return [...this.#problems]
  }

  #dated(name: string, state: State): Dated {
    const before = this.#states.get(name)
    return before?.state === state ? before : { state, sinceMs: performance.now() }
  }

  #tellProblems(problems: readonly string[]): void {
    const before = this.#problems
    this.#problems = new Set(problems.slice(0, MOST_PROBLEMS))
    for (const problem of this.#problems) if (!before.has(problem)) this.#listener.onProblem(problem)
  }

  #merged(config: Config): Merged {
    if (config.docker === undefined && this.#feeds.size === 0)
      return { config, states: new Map(), problems: [] }
    const labelled = config.docker === undefined ? undefined : this.#labels.get(config.docker.socket)
    const services = labelled?.items ?? []
    const named = new Set(services.flatMap(({ service }) => service.addresses))
    this.#refused = new Map([...this.#refused].filter(([address]) => named.has(address)))
    const admitted = admitServices(config, services, this.#refused)
    const listOf = (service: ServiceConfig) =>
      service.source === undefined
        ? admitted.containers.get(service.name)
        : (this.#feeds.get(nameOf(service.source))?.items ?? [])
    const merged = mergeDiscovered(admitted.config, listOf)
    return { ...merged, problems: [...admitted.problems, ...merged.problems] }
  }

  status(): readonly SourceStatus[] {
    return this.#all().map((feed) => feed.status())
  }

  close(): void {
    closeOthers(this.#feeds, () => false)
    closeOthers(this.#labels, () => false)
    this.#knownMs = undefined
  }

  #all(): readonly AnyFeed[] {
    return [...this.#feeds.values(), ...this.#labels.values()]
  }

  #feed<Item>(name: string, open: OpenFeed<Item>, count: (items: readonly Item[]) => number): Feed<Item> {
    return new Feed(name, open, count, (turn) => this.#take(turn))
  }

  #take({ isTurned, isListed, ...turn }: FeedTurn): void {
    if (isTurned) this.#listener.onTurn(turn)
    if (!isListed || this.#knownMs !== undefined) return
    this.#knownMs = performance.now()
    setImmediate(() => this.#tell())
  }

  /** Nothing is left to tell when it was closed meanwhile. */
  #tell(): void {
    const knownMs = this.#knownMs
    this.#knownMs = undefined
    if (knownMs !== undefined) this.#listener.onChange(knownMs)
  }
}

const countItems = (items: readonly unknown[]): number => items.length

const countContainers = (services: readonly LabelledService[]): number =>
  services.reduce((sum, { containers }) => sum + containers.length, 0)

interface Dated {
  readonly state: State
  readonly sinceMs: number
}

/** Of more, a person reads none. */
const MOST_PROBLEMS = 100

type AnyFeed = Feed<Discovered> | Feed<LabelledService>

const sourcesOf = ({ services }: Config): readonly SourceConfig[] =>
  services.flatMap(({ source }) => (source === undefined ? [] : [source]))

/** `docker labels tier=web, socket /var/run/docker.sock`: tells sources apart, for people and for us. */
const nameOf = ({ kind, ...settings }: SourceConfig): string =>
  `${kind} ${Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')}`

function closeOthers<Item>(feeds: Map<string, Feed<Item>>, isWanted: (key: string) => boolean): void {
  for (const [key, feed] of feeds) {
    if (isWanted(key)) continue
    feed.close()
    feeds.delete(key)
  }
}
