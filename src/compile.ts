import { distinctPrefixes, type Prefix } from './address.ts'
import { type PackedPins, packPins } from './compile/pins.ts'
import { compileService, type ScopeLimits } from './compile/service.ts'
import { nextStepMs, type Starts, startsOf } from './compile/slow-start.ts'
import type { Config, ServiceConfig } from './config/config.ts'
import { Places } from './config/places.ts'
import { type Conditions, changedNames } from './containers/conditions.ts'
import type { Identities } from './pipeline/identities.ts'
import type { Hairpin, Snapshot, SnapshotService } from './pipeline/snapshot.ts'
import { scopeNames } from './scope.ts'

const NO_CONDITIONS: Conditions = new Map()

/** A snapshot from nothing before it: see Compiler. */
export const compileSnapshot = (
  config: Config,
  identities: Identities,
  key: Uint8Array,
  conditions?: Conditions,
): Snapshot => new Compiler(identities, key).compile(config, conditions)

interface Compiled {
  readonly config: ServiceConfig
  readonly service: SnapshotService
  readonly starts: Starts
  readonly pins: PackedPins
  /** When it changes by itself. */
  readonly dueMs: number
}

/** What a snapshot is made of besides the config. */
interface Round {
  readonly conditions: Conditions
  readonly limits: ReadonlyMap<string, ScopeLimits>
  readonly nowMs: number
}

/**
 * Compiles a config and the containers' conditions into snapshots, one after another. A service is the same object in the
 * next one when its config is the same object as before and nothing else was said of its containers: with ten thousand of
 * them, a change must cost no more than what it changes. What a snapshot holds depends on those before it in two things: ids,
 * which `identities` keeps, and who starts slowly.
 */
export class Compiler {
  readonly #identities: Identities
  readonly #key: Uint8Array
  readonly #places: Places
  readonly #compiled = new Map<string, Compiled>()
  /** Services that change by themselves, by name. */
  readonly #starting = new Map<string, Compiled>()
  /** Each at its config's place. */
  #services: readonly SnapshotService[] = []
  #conditions = NO_CONDITIONS
  #limits: ReadonlyMap<string, ScopeLimits> = new Map()

  /** `places` follows what is compiled here, and may be asked by others. */
  constructor(identities: Identities, key: Uint8Array, places = new Places()) {
    this.#identities = identities
    this.#key = key
    this.#places = places
  }

  /** When the next snapshot would be another one by itself, on the clock that `compile` is told; undefined: never. */
  get dueMs(): number | undefined {
    return this.#starting.size === 0
      ? undefined
      : Math.min(...Array.from(this.#starting.values(), ({ dueMs }) => dueMs))
  }

  /** Another one that goes on from here: nothing of what it compiles is known to this one. */
  fork(identities: Identities): Compiler {
    const fork = new Compiler(identities, this.#key)
    for (const [name, compiled] of this.#compiled) fork.#compiled.set(name, compiled)
    for (const [name, compiled] of this.#starting) fork.#starting.set(name, compiled)
    fork.#places.follow(this.#places.services)
    fork.#services = this.#services
    fork.#conditions = this.#conditions
    fork.#limits = this.#limits
    return fork
  }

  /** `nowMs` is any clock's that never goes back; `sources` are the local ones (config/hairpin.ts), checked. */
  compile(
    config: Config,
    conditions = NO_CONDITIONS,
    nowMs = 0,
    sources: readonly Prefix[] = config.hairpin?.sources ?? [],
  ): Snapshot {
    this.#services = this.#compileServices(config.services, conditions, nowMs)
    return {
      key: this.#key,
      unserved: config.unserved,
      hairpin: compileHairpin(config, sources),
      newSources: config.newSources,
      services: this.#services,
    }
  }

  #compileServices(
    configs: readonly ServiceConfig[],
    conditions: Conditions,
    nowMs: number,
  ): readonly SnapshotService[] {
    const before = this.#places.services
    const moved = this.#places.follow(configs)
    this.#forget(moved.flatMap((i) => before[i]?.name ?? []))
    const limits = this.#limitsNow(moved, before)
    const stale = this.#staleBy(changedNames(this.#conditions, conditions), limits, nowMs)
    this.#conditions = conditions
    this.#limits = limits
    if (moved.length === 0 && stale.size === 0) return this.#services
    const services = this.#services.slice(0, configs.length)
    for (const i of new Set([...moved, ...stale]))
      if (i < configs.length)
        services[i] = this.#compile(configs[i]!, stale.has(i), { conditions, limits, nowMs })
    return services
  }

  /** Places of those whose containers or limits are others than before, or who go on by themselves. */
  #staleBy(
    containers: readonly string[],
    limits: ReadonlyMap<string, ScopeLimits>,
    nowMs: number,
  ): ReadonlySet<number> {
    const touched = containers.flatMap((name) => [...this.#places.servicesOf(name)])
    const due = [...this.#starting].flatMap(([name, { dueMs }]) => (dueMs > nowMs ? [] : [name]))
    const places = [...touched, ...due].map((name) => this.#places.positionOf(name)!)
    if (limits !== this.#limits)
      for (const [i, service] of this.#places.services.entries())
        if (!this.#hasSameLimits(service, limits)) places.push(i)
    return new Set(places)
  }

  #compile(config: ServiceConfig, isStale: boolean, { conditions, limits, nowMs }: Round): SnapshotService {
    const before = this.#compiled.get(config.name)
    if (before?.config === config && !isStale) return before.service
    const limitsOf = (scope: string) => limits.get(scope) ?? limitsOfOne(config)
    const starts = startsOf(config, conditions, before, nowMs)
    const pins = packPins(config.pins, config.pinFile, before?.pins)
    const parts = { identities: this.#identities, key: this.#key, conditions, starts, pins, nowMs, limitsOf }
    const dueMs = nextStepMs(starts, config.slowStartMs, nowMs)
    const service = compileService(config, parts)
    const compiled = { config, service, starts, pins, dueMs: dueMs ?? Infinity }
    this.#compiled.set(config.name, compiled)
    if (dueMs === undefined) this.#starting.delete(config.name)
    else this.#starting.set(config.name, compiled)
    return service
  }

  /** Those of `names` that are there no more. */
  #forget(names: readonly string[]): void {
    for (const name of names) {
      if (this.#places.positionOf(name) !== undefined) continue
      this.#compiled.delete(name)
      this.#starting.delete(name)
    }
  }

  /** The same object where nobody changed who shares a scope. */
  #limitsNow(moved: readonly number[], before: readonly ServiceConfig[]): ReadonlyMap<string, ScopeLimits> {
    const now = this.#places.services
    const isShared = (service: ServiceConfig | undefined) =>
      service !== undefined && service.affinity.scope !== 'service'
    return moved.some((i) => isShared(before[i]) || isShared(now[i])) ? limitsOfShared(now) : this.#limits
  }

  #hasSameLimits(service: ServiceConfig, limits: ReadonlyMap<string, ScopeLimits>): boolean {
    if (service.affinity.scope === 'service') return true
    return [...scopeNames(service)].every((scope) => {
      const [before, now] = [this.#limits.get(scope), limits.get(scope)]
      return before?.idleSeconds === now?.idleSeconds && before?.quota === now?.quota
    })
  }
}

const limitsOfOne = ({ affinity, quota }: ServiceConfig): ScopeLimits => ({
  idleSeconds: affinity.idleSeconds,
  quota,
})

/** A scope that services share is as patient and as large as the most generous of them. */
function limitsOfShared(services: readonly ServiceConfig[]): ReadonlyMap<string, ScopeLimits> {
  const limits = new Map<string, ScopeLimits>()
  for (const service of services) {
    if (service.affinity.scope === 'service') continue
    const own = limitsOfOne(service)
    for (const scope of scopeNames(service)) limits.set(scope, largest(limits.get(scope) ?? own, own))
  }
  return limits
}

const largest = (a: ScopeLimits, b: ScopeLimits): ScopeLimits => ({
  idleSeconds: Math.max(a.idleSeconds, b.idleSeconds),
  quota: a.quota === undefined || b.quota === undefined ? undefined : Math.max(a.quota, b.quota),
})

function compileHairpin({ hairpin }: Config, sources: readonly Prefix[]): Hairpin | undefined {
  if (hairpin === undefined) return undefined
  return { alias4: hairpin.alias4, alias6: hairpin.alias6, sources: distinctPrefixes(sources) }
}
