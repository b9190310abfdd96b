import type { Logger } from 'pino'
import type { Prefix } from './address.ts'
import { serveApi } from './api/api.ts'
import type { ContainersSource } from './api/containers.ts'
import { buildStatus, type Status } from './api/status.ts'
import { Compiler } from './compile.ts'
import type { Config } from './config/config.ts'
import { type Conditions, worst } from './containers/conditions.ts'
import { ContainerList } from './containers/container-list.ts'
import { type HealthChange, HealthChecks } from './containers/health-checks.ts'
import type { DataPlane } from './dataplane/dataplane.ts'
import { openEchoSocket } from './dataplane/echo.ts'
import { createNativeDataPlane } from './dataplane/native.ts'
import { type ContainerChange, changesBetween } from './discovery/changes.ts'
import { Discovery, type SourceTurn } from './discovery/discovery.ts'
import { TableOperator } from './entries/operator.ts'
import { OnehopError } from './errors.ts'
import { loadKey } from './key.ts'
import { lockTun } from './lock.ts'
import { flushLog, openLog } from './log.ts'
import { serveMetrics } from './metrics/server.ts'
import { networkIntent, readLocalSources, takeDown, unusableAddresses, uplinksOf } from './network/network.ts'
import { StandingNetwork } from './network/standing.ts'
import { Pins } from './pins.ts'
import { Identities } from './pipeline/identities.ts'
import type { ContainerState } from './pipeline/snapshot.ts'
import { scopesOf } from './scope.ts'
import { Store } from './store/store.ts'
import { readVersion } from './version.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Whether to make routes, rules, sysctls and nft, and to undo them at the end. */
  readonly routes: boolean
  readonly logLevel: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly socketPath: string
  readonly runDir: string
  readonly stateDir: string
  /** The folder that keeps the table; undefined: none does. */
  readonly storePath: string | undefined
  /** Reads the config anew; throws OnehopError. Undefined: the config came from flags, which do not change. */
  readonly reload: (() => Config) | undefined
}

const EXPIRE_INTERVAL_MS = 5_000
/** How long a start or a reload waits for sources to say which containers there are, before clients come. */
const FIRST_WORD_MS = 5_000
/** Nothing of ours is for others; the control socket's mode is set where it is made. */
const UMASK = 0o027

/** Serves until SIGTERM or SIGINT and returns the exit code. Throws OnehopError when it cannot start, leaving nothing behind. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  process.umask(UMASK)
  const log = openLog(options.logLevel, options.env)
  const opened = new Opened()
  const signals = new Signals()
  try {
    const daemon = await start(options, log, opened)
    signals.onReload = () => daemon.reload()
    log.info({ pid: process.pid, ...daemon.summary() }, 'ready')
    log.info({ signal: await signals.stop }, 'stopping')
    return 0
  } finally {
    await opened.closeAll(log)
    signals.close()
    log.info('stopped')
    await flushLog(log)
  }
}

/** What to close, last opened first, so that a start that fails half-way is undone like a whole one. */
class Opened {
  readonly #closers: (() => void | Promise<void>)[] = []

  onClose(close: () => void | Promise<void>): void {
    this.#closers.push(close)
  }

  /** One that fails keeps none of the others from being closed. */
  async closeAll(log: Logger): Promise<void> {
    for (const close of this.#closers.splice(0).reverse())
      try {
        await close()
      } catch (error) {
        log.error({ error: messageOf(error) }, 'could not undo all')
      }
  }
}

/** The TUN stands before its threads start, and they end before it goes; clients' packets wait in it meanwhile. */
async function start(options: DaemonOptions, log: Logger, opened: Opened): Promise<Daemon> {
  const { config, socketPath, runDir, stateDir, routes } = options
  const { tun } = config.interfaces
  const lock = await lockTun(tun)
  opened.onClose(() => lock.release())

  const dataPlane = createNativeDataPlane(config.table)
  const daemon = new Daemon(options, log, dataPlane, loadKey(config.key, stateDir))
  opened.onClose(() => daemon.close())
  await daemon.adopt(config)
  await daemon.restore()

  await daemon.bringUp()
  if (routes) opened.onClose(() => takeDown(tun, { runDir }))
  const uplinks = await uplinksOf(networkIntent(config), { runDir })
  dataPlane.start({ tun, bridges: daemon.bridges, uplinks, ...config.dataplane })
  const { problem } = dataPlane.io().fastpath
  if (problem !== undefined) log.warn({ problem }, 'no fast path: all packets pass the daemon')
  opened.onClose(() => dataPlane.stop())
  daemon.startFollowing()
  opened.onClose(() => daemon.stopFollowing())

  const api = await serveApi(socketPath, daemon)
  opened.onClose(() => api.close())

  if (config.metrics !== undefined) {
    const metrics = await serveMetrics(config.metrics, () => daemon.status())
    opened.onClose(() => metrics.close())
  }

  const expiring = setInterval(() => daemon.expire(), EXPIRE_INTERVAL_MS)
  opened.onClose(() => clearInterval(expiring))
  return daemon
}

/** The config in force, and how it gets there. */
class Daemon {
  readonly #options: DaemonOptions
  readonly #log: Logger
  readonly #dataPlane: DataPlane
  readonly #identities = new Identities()
  readonly #store: Store | undefined
  readonly #compiler: Compiler
  readonly #pins: Pins
  readonly table: TableOperator
  readonly #version = readVersion()
  readonly #startedSeconds = nowSeconds()
  readonly #list = new ContainerList(() => this.#publish())
  readonly #health = new HealthChecks((changes) => this.#turn(changes), openEchoSocket)
  readonly #discovery = new Discovery({
    onChange: (knownMs) => this.#rediscover(knownMs),
    onTurn: (turn) => this.#logSource(turn),
    onProblem: (problem) => this.#log.warn({ problem }, 'left out of the container list'),
  })
  readonly #network: StandingNetwork
  /** As it was written. */
  #base: Config
  /** With the services and containers that are discovered: the one in force. */
  #config: Config
  #sources: readonly Prefix[] = []
  #due: NodeJS.Timeout | undefined
  /** Whose networks are among the sources. */
  #bridges: readonly string[] = []
  /** Containers that the network does not stand for yet. */
  #waiting: ReadonlySet<string> = new Set()
  /** What sources said that is not logged yet. */
  #changes: readonly KnownChange[] = []

  constructor(options: DaemonOptions, log: Logger, dataPlane: DataPlane, key: Uint8Array) {
    this.#options = options
    this.#log = log
    this.#dataPlane = dataPlane
    this.#compiler = new Compiler(this.#identities, key)
    this.#base = options.config
    this.#config = options.config
    this.#pins = new Pins(options.storePath && `${options.storePath}.pins`)
    this.table = new TableOperator({
      table: dataPlane,
      identities: this.#identities,
      pins: this.#pins,
      clock: { nowSeconds, zeroMs },
      config: () => this.#pins.applied(this.#config),
      publish: () => this.#publish(),
    })
    if (options.storePath !== undefined)
      this.#store = new Store({
        path: options.storePath,
        table: dataPlane,
        names: this.#identities,
        clock: { nowSeconds, zeroMs },
        log,
      })
    const { routes, runDir } = options
    this.#network = new StandingNetwork(routes ? { runDir } : undefined, {
      bringUp: async () => {
        await this.bringUp()
        await this.#serve()
      },
      onFailure: (error) => log.error({ error: messageOf(error) }, 'no network for what was discovered'),
    })
  }

  /** Who is local is read anew, unlike when a container's state changes. Clients do not come before the containers. */
  async adopt(base: Config): Promise<void> {
    this.#discovery.open(base)
    await this.#discovery.heard(FIRST_WORD_MS)
    const found = this.#discovery.merge(base)
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

  startFollowing(): void {
    this.#network.start()
  }

  /** Resolves when the network is changed no more. */
  async stopFollowing(): Promise<void> {
    this.#discovery.close()
    await this.#network.stop()
  }

  #publish(config = this.#config, sources = this.#sources): void {
    this.#waiting = this.#network.missing(config)
    this.#health.update(config)
    const nowMs = performance.now()
    this.#dataPlane.publish(
      this.#compiler.compile(this.#pins.applied(config), this.#conditions(), nowMs, sources),
    )
    this.#publishAt(this.#compiler.dueMs, nowMs)
    this.#sources = sources
    this.#config = config
  }

  /** For containers that start slowly; a publishing that comes earlier puts off another. */
  #publishAt(dueMs: number | undefined, nowMs: number): void {
    clearTimeout(this.#due)
    if (dueMs !== undefined) this.#due = setTimeout(() => this.#publish(), dueMs - nowMs)
  }

  /** What the operator asks for is in force when the call returns. */
  readonly containers: ContainersSource = {
    list: () =>
      this.#list
        .standings(this.#config)
        .map((standing) => this.#health.standing(this.#discovery.standing(standing))),
    drain: (names, deadlineMs) => this.#list.drain(this.#config, names, deadlineMs),
    undrain: (names) => this.#list.undrain(this.#config, names),
    weigh: (names, weight) => this.#list.weigh(this.#config, names, weight),
  }

  async close(): Promise<void> {
    clearTimeout(this.#due)
    this.#discovery.close()
    this.#health.close()
    this.#list.close()
    await this.#store?.close()
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
    this.#publish(next)
    this.#logChanges([...this.#changes, ...changes.map((change) => ({ ...change, knownMs }))])
    this.#network.follow()
  }

  /** The network stands for the config in force, or for the one that was so when that began. */
  async #serve(): Promise<void> {
    const config = this.#config
    this.#dataPlane.useBridges(config.interfaces.bridges)
    const isSame = config.interfaces.bridges.join() === this.#bridges.join()
    const sources = isSame ? this.#sources : await readLocalSources(networkIntent(config))
    this.#bridges = config.interfaces.bridges
    this.#publish(this.#config, sources)
    this.#logChanges(this.#changes)
  }

  /** Published first, as in #turn. */
  #logChanges(changes: readonly KnownChange[]): void {
    this.#changes = changes.filter(({ container }) => this.#waiting.has(container))
    for (const { container, state, knownMs } of changes) {
      if (this.#waiting.has(container)) continue
      const publishedMs = Math.round(performance.now() - knownMs)
      this.#log.info({ container, state, publishedMs }, `container is ${state}`)
    }
  }

  #logSource({ source, state, error }: SourceTurn): void {
    if (state === 'failing') this.#log.warn({ source, error }, 'source fails; its last list holds')
    else this.#log.info({ source }, 'source answers')
  }

  expire(): void {
    const expired = this.#dataPlane.expire(nowSeconds())
    if (expired > 0) this.#log.debug({ expired }, 'forgot idle sources')
  }

  status(): Status {
    const conditions = this.#conditions()
    return buildStatus({
      version: this.#version,
      pid: process.pid,
      upSeconds: nowSeconds() - this.#startedSeconds,
      routes: this.#options.routes,
      config: this.#config,
      identities: this.#identities,
      counters: this.#dataPlane.counters(),
      store: this.#store?.status() ?? { state: 'off' },
      io: this.#dataPlane.io(),
      stateOf: (container) => conditions.get(container)?.state ?? 'ready',
      sources: this.#discovery.status(),
      problems: [
        ...(this.#network.failure === undefined ? [] : [this.#network.failure]),
        ...this.#discovery.problems,
      ],
    })
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

  /** What is said of containers beside what the operator says. */
  *#worse(): Iterable<readonly [name: string, state: ContainerState]> {
    yield* this.#discovery.states()
    for (const name of this.#health.down) yield [name, 'down']
    for (const name of this.#waiting) yield [name, 'down']
  }

  #conditions(): Conditions {
    const conditions = this.#list.conditions()
    for (const [name, state] of this.#worse()) {
      const known = conditions.get(name)
      conditions.set(name, { state: worst(known?.state ?? 'ready', state), weight: known?.weight })
    }
    return conditions
  }

  /** Published first: the log may wait for its reader. */
  #turn(changes: readonly HealthChange[]): void {
    this.#publish()
    for (const { container, isUp, failure, knownMs } of changes) {
      const publishedMs = Math.round(performance.now() - knownMs)
      if (isUp) this.#log.info({ container, publishedMs }, 'container is up')
      else this.#log.warn({ container, failure, publishedMs }, 'container is down')
    }
  }

  async #reload(): Promise<void> {
    const { reload } = this.#options
    if (reload === undefined) {
      this.#log.warn('nothing to reload: the config came from flags')
      return
    }
    try {
      const next = reload()
      refuseFixed(this.#base, next)
      await this.#apply(next)
      this.#discovery.retain(next)
      this.#list.retain(this.#config)
      this.#log.info({ services: next.services.length }, 'reloaded')
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'reload refused; the config in force stays')
    }
  }

  /** The snapshot first: a packet for an address that is routed here but not served would go round until its TTL ends. */
  async #apply(next: Config): Promise<void> {
    const previous = this.#base
    const sources = this.#sources
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
    this.#dataPlane.useUplinks(await uplinksOf(networkIntent(this.#config), this.#options))
    this.#publish()
  }
}

type KnownChange = ContainerChange & { readonly knownMs: number }

/** What was opened at the start with the old values stays as it is until a restart. */
function refuseFixed(current: Config, next: Config): void {
  const fixed = (config: Config) => ({
    'interfaces.tun': config.interfaces.tun,
    key: config.key,
    table: config.table,
    store: config.store,
    dataplane: config.dataplane,
    metrics: config.metrics,
  })
  const before = Object.entries(fixed(current))
  const after = Object.values(fixed(next))
  const changed = before.filter(([, value], i) => JSON.stringify(value) !== JSON.stringify(after[i]))
  if (changed.length === 0) return
  const names = changed.map(([name]) => name).join(', ')
  throw new OnehopError('E_CONFIG', `${names} changed; expected as at the start (a restart takes new values)`)
}

/** The clock that the data plane counts in: CLOCK_MONOTONIC. */
const nowSeconds = (): number => process.hrtime()[0]

/** When that clock was 0, by the wall's. */
const zeroMs = (): number => Date.now() - Number(process.hrtime.bigint() / 1_000_000n)

/** Caught from the very start, so that an early one still undoes what has been made. */
class Signals {
  /** SIGHUP before there is anything to reload is dropped: the config was read a moment ago. */
  onReload: () => void = () => {}
  readonly stop: Promise<NodeJS.Signals>
  readonly #handlers = new Map<NodeJS.Signals, (name: NodeJS.Signals) => void>()

  constructor() {
    this.stop = new Promise((resolve) => {
      this.#handlers.set('SIGTERM', resolve).set('SIGINT', resolve)
    })
    this.#handlers.set('SIGHUP', () => this.onReload())
    for (const [name, handler] of this.#handlers) process.on(name, handler)
  }

  close(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }
}

const messageOf = (error: unknown): string => {
  if (error instanceof OnehopError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
