import { randomInt } from 'node:crypto'
import { formatAddress } from '../address.ts'
import type { ContainerRates, Rates, ServiceRates, Sort } from '../api/rates.ts'
import type { Config } from '../config/config.ts'
import type { DataPlane } from '../dataplane/dataplane.ts'
import { eachContainer } from '../each-container.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { ContainerState } from '../pipeline/snapshot.ts'
import { formatScope, scopeNames } from '../scope.ts'
import { type HotSources, HotSourceWalk } from './hot-sources.ts'
import { Between, firstOf, type Reading } from './rates.ts'

export interface MeterOptions {
  readonly version: string
  readonly dataPlane: Pick<DataPlane, 'counters' | 'io' | 'rows'>
  readonly identities: Identities
  readonly config: () => Config
  readonly stateOf: () => (container: string) => ContainerState
  readonly upSeconds: () => number
  readonly problems: () => number
}

const SECOND_MS = 1_000
/** From one walk of the table to the next: the fast path tells what sources sent once a second. */
const WALK_MS = 2_000
/** For so long it goes on when nobody asks. */
const WATCHED_MS = 10_000
const LONGEST_HISTORY = 300

/** Rates of everything, measured as long as somebody asks for them, and once for all who ask. */
export class RateMeter {
  readonly #options: MeterOptions
  #session: Session | undefined

  constructor(options: MeterOptions) {
    this.#options = options
  }

  /** The first answer takes a second. */
  async read(sort: Sort, limit: number): Promise<Rates> {
    this.#session ??= new Session(this.#options, () => this.close())
    return this.#session.read(sort, limit)
  }

  close(): void {
    this.#session?.close()
    this.#session = undefined
  }
}

class Session {
  readonly #options: MeterOptions
  readonly #onUnwatched: () => void
  readonly #walk: HotSourceWalk
  readonly #timer: NodeJS.Timeout
  readonly #first: Promise<void>
  readonly #history: number[] = []
  #before: Reading
  #after: Reading
  #hot: HotSources = { isMeasured: false, intervalMs: 0, sources: [] }
  #walkTimer: NodeJS.Timeout | undefined
  #askedMs = performance.now()
  #isOver = false

  constructor(options: MeterOptions, onUnwatched: () => void) {
    this.#options = options
    this.#onUnwatched = onUnwatched
    this.#before = this.#after = this.#take()
    const { capacity } = this.#after.counters.table
    this.#walk = new HotSourceWalk(options.dataPlane, capacity, () => randomInt(2 ** 32))
    let isRead = () => {}
    this.#first = new Promise((resolve) => {
      isRead = resolve
    })
    this.#timer = setInterval(() => {
      this.#step()
      isRead()
    }, SECOND_MS).unref()
    this.#walkOn()
  }

  async read(sort: Sort, limit: number): Promise<Rates> {
    this.#askedMs = performance.now()
    await this.#first
    const { version, upSeconds, config, dataPlane, problems } = this.#options
    const between = new Between(this.#before, this.#after)
    const { state, sources } = dataPlane.io().fastpath
    return {
      version,
      tun: config().interfaces.tun,
      upSeconds: upSeconds(),
      intervalMs: Math.round(between.seconds * 1000),
      received: between.received(),
      history: this.#history,
      verdicts: between.verdicts(),
      table: between.table(),
      fastpath: { state, sources },
      problems: problems(),
      services: firstOf(this.#services(between), sort, limit),
      containers: this.#containers(between, sort, limit),
      sources: this.#sources(limit),
    }
  }

  close(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    clearTimeout(this.#walkTimer)
    this.#walk.close()
  }

  #take(): Reading {
    return { atMs: performance.now(), counters: this.#options.dataPlane.counters() }
  }

  #step(): void {
    if (performance.now() - this.#askedMs > WATCHED_MS) {
      this.#onUnwatched()
      return
    }
    this.#before = this.#after
    this.#after = this.#take()
    this.#history.push(new Between(this.#before, this.#after).received().packets)
    if (this.#history.length > LONGEST_HISTORY) this.#history.shift()
  }

  /** One walk after the other, never two at once. */
  async #walkOn(): Promise<void> {
    const { entries } = this.#after.counters.table
    this.#hot = await this.#walk.walk(entries)
    if (!this.#isOver) this.#walkTimer = setTimeout(() => this.#walkOn(), WALK_MS).unref()
  }

  *#services(between: Between): Generator<ServiceRates> {
    const { config, identities } = this.#options
    const { scopes } = this.#after.counters
    for (const service of config().services)
      yield {
        name: service.name,
        entries: [...scopeNames(service)].reduce(
          (sum, scope) => sum + (scopes.get(identities.scope(scope)) ?? 0),
          0,
        ),
        ...between.of('services', identities.service(service.name)),
      }
  }

  #containers(between: Between, sort: Sort, limit: number): Rates['containers'] {
    const { config, identities, stateOf } = this.#options
    const state = stateOf()
    const states = { ready: 0, draining: 0, down: 0 }
    let packets = 0
    function* measured(): Generator<Omit<ContainerRates, 'share'>> {
      for (const [id, { name }] of eachContainer(config(), identities)) {
        const container = { name, state: state(name), ...between.of('containers', id) }
        states[container.state]++
        packets += container.in.packets
        yield container
      }
    }
    const { count, shown } = firstOf(measured(), sort, limit)
    const shareOf = (own: number) => (packets === 0 ? 0 : own / packets)
    return {
      states,
      count,
      shown: shown.map((container) => ({ ...container, share: shareOf(container.in.packets) })),
    }
  }

  #sources(limit: number): Rates['sources'] {
    const { identities } = this.#options
    const { isMeasured, intervalMs, sources } = this.#hot
    return {
      isMeasured,
      intervalMs: Math.round(intervalMs),
      shown: sources.slice(0, limit).map(({ source, scope, container, packets, bytes }) => ({
        source: formatAddress(source),
        scope: formatScope(identities.scopeName(scope) ?? ''),
        container: identities.containerName(container) ?? '',
        packets: Math.round(packets * 10) / 10,
        bytes: Math.round(bytes * 10) / 10,
      })),
    }
  }
}
