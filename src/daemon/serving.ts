import type { Logger } from 'pino'
import type { Prefix } from '../address.ts'
import type { ContainersSource } from '../api/containers.ts'
import type { Applied, PlanSource } from '../api/plan.ts'
import type { LiveStatus, Status } from '../api/status.ts'
import { Compiler } from '../compile.ts'
import type { Config } from '../config/config.ts'
import { Places } from '../config/places.ts'
import type { DataPlane } from '../dataplane/dataplane.ts'
import { DecisionLog } from '../decisions/decision-log.ts'
import { type ContainerChange, changesBetween } from '../discovery/changes.ts'
import { Discovery, type SourceTurn } from '../discovery/discovery.ts'
import { DropReport } from '../drops/drops.ts'
import { SelfCheckReport } from '../drops/self-check.ts'
import { adopt } from '../entries/adopt.ts'
import { TableOperator } from '../entries/operator.ts'
import { messageOf } from '../errors.ts'
import type { EventOperator } from '../events/operator.ts'
import { TableFollower } from '../events/table-follower.ts'
import type { Handover } from '../handover/handover.ts'
import type { Measured } from '../metrics/metrics.ts'
import {
  checkFeasible,
  networkIntent,
  readLocalSources,
  unusableAddresses,
  uplinksOf,
} from '../network/network.ts'
import { StandingNetwork } from '../network/standing.ts'
import { Pins } from '../pins.ts'
import { Identities } from '../pipeline/identities.ts'
import { isWithin, type Limit } from '../plan/limit.ts'
import { RateMeter } from '../rates/meter.ts'
import { scopesOf } from '../scope.ts'
import { Store } from '../store/store.ts'
import { type Rows, rowCount } from '../table/rows.ts'
import { readVersion } from '../version.ts'
import { WatchOperator } from '../watch/operator.ts'
import { nowSeconds, zeroMs } from './clock.ts'
import { ContainerStates, stateIn } from './container-states.ts'
import { Explainer } from './explainer.ts'
import { refuseFixed } from './fixed.ts'
import { Lookout } from './lookout.ts'
import type { DaemonOptions } from './options.ts'
import { Planner, type Preview } from './planner.ts'
import { Reporter } from './reporter.ts'
import { buildMeasured, buildStatus, type StatusParts } from './status.ts'
import { Upkeep } from './upkeep.ts'

/** How long a start or a reload waits for sources to say which containers there are, before clients come. */
const FIRST_WORD_MS = 5_000
/** Characters of an error that an event has room for. */
const MOST_TOLD = 1_000

/** The config in force, and how it gets there. */
export class Serving {
  readonly #options: DaemonOptions
  readonly #log: Logger
  readonly #dataPlane: DataPlane
  readonly #handover: Handover | undefined
  readonly #identities = new Identities()
  readonly #store: Store | undefined
  readonly #decisions: DecisionLog | undefined
  readonly #places = new Places()
  readonly #compiler: Compiler
  readonly #pins: Pins
  readonly table: TableOperator
  readonly explainer: Explainer
  readonly #planner: Planner
  readonly watch: WatchOperator
  readonly rates: RateMeter
  readonly drops: DropReport
  readonly reporter: Reporter
  readonly #selfCheck: SelfCheckReport
  readonly #version = readVersion()
  readonly #startedSeconds = nowSeconds()
  readonly #discovery = new Discovery({
    onChange: (knownMs) => this.#rediscover(knownMs),
    onTurn: (turn) => this.#logSource(turn),
    onProblem: (problem) => this.#log.warn({ problem }, 'left out of the container list'),
  })
  readonly #states = new ContainerStates({
    config: () => this.#config,
    discovery: this.#discovery,
    places: this.#places,
    publish: () => this.#publish(),
    noteFailure: (container, failure) => this.reporter.noteFailure(container, failure),
    log: () => this.#log,
  })
  readonly #network: StandingNetwork
  readonly #follower: TableFollower
  readonly #lookout: Lookout
  readonly #upkeep: Upkeep
  /** As it was written. */
  #base: Config
  #origin: Status['config']['from']
  /** With the services and containers that are discovered: the one in force. */
  #config: Config
  #sources: readonly Prefix[] = []
  /** Looked up where the config has none. */
  #uplinks: readonly string[] = []
  #due: NodeJS.Timeout | undefined
  /** The host's addresses and default routes may be others. */
  #isDisturbed = false
  /** Whose networks are among the sources. */
  #bridges: readonly string[] = []
  /** What sources said that is not logged yet. */
  #changes: readonly KnownChange[] = []

  constructor(
    options: DaemonOptions,
    log: Logger,
    dataPlane: DataPlane,
    key: Uint8Array,
    handover?: Handover,
  ) {
    this.#options = options
    this.#log = log
    this.#dataPlane = dataPlane
    this.#handover = handover
    this.#compiler = new Compiler(this.#identities, key, this.#places)
    this.#base = options.config
    this.#origin = options.configFile === undefined ? 'flags' : 'file'
    this.#config = options.config
    this.#pins = new Pins(options.storePath && `${options.storePath}.pins`)
    this.reporter = new Reporter(this.#identities, (container) => this.#places.servicesOf(container))
    this.#follower = new TableFollower(dataPlane, this.reporter)
    this.#lookout = new Lookout({
      io: () => dataPlane.io(),
      links: () => [this.#config.interfaces.tun, ...this.bridges, ...this.#uplinks],
      problems: () => [...this.#problems, ...this.#storeProblems],
      tell: this.reporter.tell,
    })
    this.table = new TableOperator({
      table: dataPlane,
      identities: this.#identities,
      pins: this.#pins,
      clock: { nowSeconds, zeroMs },
      config: () => this.#pins.applied(this.#config),
      publish: () => this.#publish(),
      tell: this.reporter.tell,
    })
    this.explainer = new Explainer({
      dataPlane,
      identities: this.#identities,
      pins: this.#pins,
      config: () => this.#config,
      decisions: () => this.#decisions,
      standings: (service) => [...this.#states.standings({ services: [service] })],
    })
    this.#planner = new Planner({
      dataPlane,
      identities: this.#identities,
      compiler: this.#compiler,
      pins: this.#pins,
      base: () => this.#base,
      config: () => this.#config,
      conditions: () => this.#states.conditions(),
      sources: () => this.#sources,
      preview: (config) => this.#preview(config),
    })
    this.watch = new WatchOperator({
      dataPlane,
      identities: this.#identities,
      config: () => this.#config,
      version: this.#version,
    })
    this.#selfCheck = new SelfCheckReport({ dataPlane, identities: this.#identities, log, zeroMs })
    this.drops = new DropReport({
      dataPlane,
      identities: this.#identities,
      tun: () => this.#config.interfaces.tun,
      selfCheck: this.#selfCheck,
      zeroMs,
    })
    this.rates = new RateMeter({
      version: this.#version,
      dataPlane,
      identities: this.#identities,
      config: () => this.#config,
      stateOf: () => stateIn(this.#states.conditions()),
      upSeconds: () => this.#upSeconds,
      problems: () => this.#problems.length,
    })
    if (options.storePath !== undefined)
      this.#store = new Store({
        path: options.storePath,
        table: dataPlane,
        names: this.#identities,
        clock: { nowSeconds, zeroMs },
        log,
      })
    if (options.storePath !== undefined && options.config.decisions !== 'off')
      this.#decisions = new DecisionLog({
        folder: `${options.storePath}.decisions`,
        mostBytes: options.config.decisions,
        names: this.#identities,
        clock: { zeroMs },
        world: () => this.reporter.world(),
      })
    const { routes, runDir } = options
    this.#network = new StandingNetwork(routes ? { runDir } : undefined, {
      bringUp: async () => {
        await this.bringUp()
        dataPlane.reopen()
        await this.#serve()
      },
      onMended: (commands) => log.warn({ commands: commands.map(shortened) }, MENDED),
      onFailure: (error) => log.error({ error: messageOf(error) }, 'the network set-up does not stand'),
    })
    this.#upkeep = new Upkeep({
      disturbances: () => dataPlane.disturbances(),
      mend: () => {
        this.#isDisturbed = true
        return this.#network.disturb()
      },
    })
  }

  /**
   * Who is local is read anew, unlike when a container's state changes. Clients do not come before the containers, and leave none
   * before the network stands for the next.
   */
  async adopt(base: Config): Promise<void> {
    this.#discovery.open(base)
    await this.#discovery.heard(FIRST_WORD_MS)
    const { config: found } = this.#discovery.preview(base)
    await this.#network.widen(found)
    const sources = await readLocalSources(networkIntent(found))
    this.#bridges = found.interfaces.bridges
    this.#base = base
    this.#publish(this.#discovery.merge(base), sources)
  }

  /** The operator's pins, and what the store has of the config's sources; from here on it follows the table. */
  async restore(): Promise<void> {
    const fault = await this.#pins.load()
    if (fault !== undefined) this.#log.error({ error: fault }, 'no pins of the operator')
    this.#publish()
    await this.#store?.restore(scopesOf(this.#config, this.#identities))
    this.#store?.start()
  }

  /** After `restore`: what a daemon that died was serving in the kernel goes on as it went. */
  takeOver(handover: Handover): Rows | undefined {
    const left = handover.left(zeroMs())
    if (left === undefined) return undefined
    const scopes = scopesOf(this.#config, this.#identities)
    const { rows, ...counts } = adopt(left, this.#dataPlane, scopes, { nowSeconds, zeroMs })
    this.#log.info({ sources: rowCount(rows), ...counts }, 'took over the fast path')
    return rows
  }

  get events(): EventOperator {
    return this.reporter.events
  }

  get containers(): ContainersSource {
    return this.#states.operated
  }

  get bridges(): readonly string[] {
    return this.#config.interfaces.bridges
  }

  /** Labels may name an address that somebody else has: their services are left out, and keep no other from being served. */
  async bringUp(): Promise<void> {
    try {
      await this.#network.apply(this.#config)
    } catch (error) {
      if (!(await this.#refuseAddresses())) throw error
      await this.#network.apply(this.#config)
    }
  }

  async #refuseAddresses(): Promise<boolean> {
    if (this.#base.docker === undefined) return false
    const written = new Set(this.#base.services.flatMap(({ addresses }) => addresses))
    const unusable = await unusableAddresses(networkIntent(this.#config), this.#options)
    const refused = [...unusable].filter(([address]) => !written.has(address))
    if (refused.length === 0) return false
    this.#discovery.refuse(new Map(refused))
    this.#publish(this.#discovery.merge(this.#base))
    return true
  }

  startFollowing(uplinks: readonly string[]): void {
    this.#uplinks = uplinks
    this.#network.start()
    this.#follower.start()
    if (this.#decisions !== undefined) this.reporter.logTo(this.#decisions)
    this.#lookout.start()
    this.#upkeep.start()
    this.reporter.tell({ type: 'config', change: 'started', services: this.#config.services.length })
  }

  /** Resolves when the network is changed no more. */
  async stopFollowing(): Promise<void> {
    this.#upkeep.stop()
    this.#discovery.close()
    await this.#network.stop()
  }

  #publish(config = this.#config, sources = this.#sources): void {
    this.#states.follow(config, this.#network.missing(config))
    const nowMs = performance.now()
    const conditions = this.#states.conditions(config)
    const snapshot = this.#compiler.compile(this.#pins.applied(config), conditions, nowMs, sources)
    this.#noteNames()
    this.#dataPlane.publish(snapshot)
    this.reporter.published(config, conditions)
    this.explainer.publish(snapshot)
    this.#planner.publish(snapshot)
    this.#publishAt(this.#compiler.dueMs, nowMs)
    this.#sources = sources
    this.#config = config
  }

  /** Without its name a number is of no use to the next daemon, and of no harm. */
  #noteNames(): void {
    try {
      this.#handover?.note(this.#identities)
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'names are not noted for the next daemon')
    }
  }

  /** For containers that start slowly; a publishing that comes earlier puts off another. */
  #publishAt(dueMs: number | undefined, nowMs: number): void {
    clearTimeout(this.#due)
    if (dueMs !== undefined) this.#due = setTimeout(() => this.#publish(), dueMs - nowMs)
  }

  readonly plans: PlanSource = {
    plan: async (bytes, file, top) => this.#planner.plan(await readGiven(bytes, file), top),
    whatIf: (supposition, top) => this.#planner.whatIf(supposition, top),
    apply: async (bytes, file, limit, top) => {
      const next = await readGiven(bytes, file)
      return this.#network.inTurn(() => this.#applyPlanned(next, file, limit, top))
    },
  }

  async close(): Promise<void> {
    clearTimeout(this.#due)
    this.#lookout.stop()
    this.#follower.stop()
    this.reporter.close()
    this.rates.close()
    this.#discovery.close()
    this.#states.close()
    await Promise.all([this.#store?.close(), this.#decisions?.close()])
  }

  /** Each SIGHUP reads what the file holds when its turn comes. */
  reload(): Promise<void> {
    return this.#network.inTurn(() => this.#reload())
  }

  /** Who is worse or gone is so at once; who came is served as soon as the network stands for him. */
  #rediscover(knownMs: number): void {
    const before = this.#discovery.statesNow()
    const next = this.#discovery.merge(this.#base)
    const changes = changesBetween(this.#config, next, before, this.#discovery.statesNow())
    this.#states.damp(changes.flatMap(({ container, state }) => (isServing(state) ? [] : [container])))
    this.#publish(next)
    this.#logChanges([...this.#changes, ...changes.map((change) => ({ ...change, knownMs }))])
    this.#network.follow()
  }

  /** The network stands for the config in force, or for the one that was so when that began. */
  async #serve(): Promise<void> {
    const config = this.#config
    this.#dataPlane.useBridges(config.interfaces.bridges)
    const isSame = !this.#isDisturbed && config.interfaces.bridges.join() === this.#bridges.join()
    const sources = isSame ? this.#sources : await readLocalSources(networkIntent(config))
    if (this.#isDisturbed) await this.#useUplinks()
    this.#isDisturbed = false
    this.#bridges = config.interfaces.bridges
    this.#publish(this.#config, sources)
    this.#logChanges(this.#changes)
  }

  /** Published first, as in #turn. */
  #logChanges(changes: readonly KnownChange[]): void {
    this.#changes = changes.filter(({ container }) => this.#states.isWaiting(container))
    for (const { container, state, knownMs } of changes) {
      if (this.#states.isWaiting(container)) continue
      const publishedMs = Math.round(performance.now() - knownMs)
      this.#log.info({ container, state, publishedMs }, `container is ${state}`)
    }
  }

  #logSource({ source, state, error }: SourceTurn): void {
    const change = state === 'failing' ? 'fails' : 'answers'
    this.reporter.tell({ type: 'source', change, from: source, ...(error === undefined ? {} : { error }) })
    if (state === 'failing') this.#log.warn({ source, error }, 'source fails; its last list holds')
    else this.#log.info({ source }, 'source answers')
  }

  /** To be called every few seconds. */
  tend(): void {
    const expired = this.#dataPlane.expire(nowSeconds())
    if (expired > 0) this.#log.debug({ expired }, 'forgot idle sources')
    this.drops.step()
    this.#selfCheck.step()
  }

  get #upSeconds(): number {
    return nowSeconds() - this.#startedSeconds
  }

  get #problems(): readonly string[] {
    const { failure } = this.#network
    const own = failure === undefined ? [] : [failure]
    return [...own, ...this.#discovery.problems, ...this.#states.problems]
  }

  get #storeProblems(): readonly string[] {
    const status = this.#store?.status()
    const log = this.#decisions?.status()
    return [
      ...(status?.state === 'failing' ? [`store: ${status.error}`] : []),
      ...(log?.state === 'failing' ? [`log of decisions: ${log.error}`] : []),
    ]
  }

  status(): LiveStatus {
    return buildStatus(this.#parts())
  }

  #parts(): StatusParts {
    return {
      version: this.#version,
      pid: process.pid,
      upSeconds: this.#upSeconds,
      routes: this.#options.routes,
      origin: { from: this.#origin, file: this.#options.configFile },
      config: this.#config,
      identities: this.#identities,
      counters: this.#dataPlane.counters(),
      store: this.#store?.status() ?? { state: 'off' },
      decisions: this.#decisions?.status() ?? { state: 'off' },
      io: this.#dataPlane.io(),
      conditions: this.#states.conditions(),
      sources: this.#discovery.status(),
      problems: this.#problems,
    }
  }

  measure(): Measured {
    return buildMeasured(this.#parts(), this.#places)
  }

  summary() {
    const { interfaces, services } = this.#config
    const io = this.#dataPlane.io()
    return {
      tun: interfaces.tun,
      bridges: interfaces.bridges,
      services: services.length,
      offload: io.offload,
      fastpath: io.fastpath.state,
    }
  }

  /** As it will be when the network stands for the config. */
  #preview(next: Config): Preview {
    const { config, states, unheard } = this.#discovery.preview(next)
    return { config, conditions: this.#states.conditionsUnder(config, states), unheard }
  }

  async #reload(): Promise<void> {
    const { reload } = this.#options
    if (reload === undefined) {
      this.#log.warn('nothing to reload: the config came from flags')
      return
    }
    try {
      const next = await reload()
      await this.#replace(next)
      this.#origin = 'file'
      this.#log.info({ services: next.services.length }, 'reloaded')
      this.reporter.tell({ type: 'config', change: 'reloaded', services: next.services.length })
    } catch (error) {
      this.reporter.tell({ type: 'config', change: 'refused', error: messageOf(error).slice(0, MOST_TOLD) })
      this.#log.error({ error: messageOf(error) }, 'reload refused; the config in force stays')
    }
  }

  /** Sources are heard first, so that their containers are in the plan. */
  async #applyPlanned(next: Config, file: string, limit: Limit | undefined, top: number): Promise<Applied> {
    refuseFixed(this.#base, next)
    try {
      this.#discovery.open(next)
      await this.#discovery.heard(FIRST_WORD_MS)
      const plan = await this.#planner.planThatHolds(next, top)
      const isApplied = isWithin(plan.clients, limit)
      if (isApplied) {
        await this.#replace(next)
        this.#origin = 'applied'
        this.#log.info({ file, moved: plan.clients.moved }, 'applied')
        this.reporter.tell({ type: 'config', change: 'applied', services: next.services.length })
      }
      const { configFile } = this.#options
      return { applied: isApplied, ...(configFile === undefined ? {} : { file: configFile }), plan }
    } finally {
      this.#discovery.retain(this.#base)
    }
  }

  /** All of a config or, with an error, none of it. */
  async #replace(next: Config): Promise<void> {
    refuseFixed(this.#base, next)
    try {
      await this.#apply(next)
      this.#states.retain()
    } finally {
      this.#discovery.retain(this.#base)
    }
  }

  /**
   * What the host refuses is not published, lest a packet that comes meanwhile move its client. Then the snapshot first: a
   * packet for an address that is routed here but not served would go round until its TTL ends.
   */
  async #apply(next: Config): Promise<void> {
    const previous = this.#base
    const sources = this.#sources
    if (this.#options.routes) await checkFeasible(networkIntent(next), this.#options)
    try {
      await this.adopt(next)
      this.#network.renew()
      await this.bringUp()
    } catch (error) {
      this.#base = previous
      this.#publish(this.#discovery.merge(previous), sources)
      await this.bringUp()
      throw error
    }
    this.#dataPlane.useBridges(this.bridges)
    await this.#useUplinks()
    this.#publish()
  }

  async #useUplinks(): Promise<void> {
    this.#uplinks = await uplinksOf(networkIntent(this.#config), this.#options)
    this.#dataPlane.useUplinks(this.#uplinks)
  }
}

/** The parser is loaded where somebody sends a config. */
const readGiven = async (bytes: Uint8Array, file: string): Promise<Config> =>
  (await import('../config/load.ts')).readConfigBytes(bytes, file)

const MENDED = 'part of the network set-up was gone; it was made again'
const shortened = (command: string): string => command.slice(0, MOST_TOLD)

const isServing = (state: ContainerChange['state']): boolean => state !== 'down' && state !== 'gone'

type KnownChange = ContainerChange & { readonly knownMs: number }
