import { distinctPrefixes, type Prefix } from './address.ts'
import { type PackedPins, packPins } from './compile/pins.ts'
import { compileService, type ScopeLimits } from './compile/service.ts'
import { nextStepMs, type Starts, startsOf } from './compile/slow-start.ts'
import type { Config, ServiceConfig } from './config/config.ts'
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
  readonly #compiled = new Map<string, Compiled>()
  #conditions = NO_CONDITIONS
  #dueMs = Infinity
  #limits: ReadonlyMap<string, ScopeLimits> = new Map()
  /** Container's name → names of the services that it is in. */
  readonly #places = new Map<string, readonly string[]>()

  /** `key`: 16 bytes. */
  constructor(identities: Identities, key: Uint8Array) {
    this.#identities = identities
    this.#key = key
  }

  /** When the next snapshot would be another one by itself, on the clock that `compile` is told; undefined: never. */
  get dueMs(): number | undefined {
    return this.#dueMs === Infinity ? undefined : this.#dueMs
  }

  /** `nowMs` is any clock's that never goes back; `sources` are the local ones (config/hairpin.ts), checked. */
  compile(
    config: Config,
    conditions = NO_CONDITIONS,
    nowMs = 0,
    sources: readonly Prefix[] = config.hairpin?.sources ?? [],
  ): Snapshot {
    const touched = this.#servicesOf(changedNames(this.#conditions, conditions))
    const round = { conditions, limits: limitsOfShared(config.services), nowMs }
    this.#dueMs = Infinity
    const services = config.services.map((service) => {
      const before = this.#compiled.get(service.name)
      const isSame =
        before?.config === service &&
        before.dueMs > nowMs &&
        !touched.has(service.name) &&
        this.#hasSameLimits(service, round.limits)
      const compiled = isSame ? before : this.#compile(service, before, round)
      this.#dueMs = Math.min(this.#dueMs, compiled.dueMs)
      return compiled.service
    })
    if (this.#compiled.size > services.length) this.#forgetOthers(config.services)
    this.#conditions = conditions
    this.#limits = round.limits
    return { key: this.#key, unserved: config.unserved, hairpin: compileHairpin(config, sources), services }
  }

  #compile(config: ServiceConfig, before: Compiled | undefined, round: Round): Compiled {
    const { conditions, limits, nowMs } = round
    if (before?.config !== config) {
      if (before !== undefined) this.#displace(before.config)
      this.#place(config)
    }
    const limitsOf = (scope: string) => limits.get(scope) ?? limitsOfOne(config)
    const starts = startsOf(config, conditions, before, nowMs)
    const pins = packPins(config.pins, config.pinFile, before?.pins)
    const parts = { identities: this.#identities, key: this.#key, conditions, starts, pins, nowMs, limitsOf }
    const dueMs = nextStepMs(starts, config.slowStartMs, nowMs) ?? Infinity
    const compiled = { config, service: compileService(config, parts), starts, pins, dueMs }
    this.#compiled.set(config.name, compiled)
    return compiled
  }

  #forgetOthers(services: readonly ServiceConfig[]): void {
    const names = new Set(services.map(({ name }) => name))
    for (const [name, { config }] of this.#compiled) {
      if (names.has(name)) continue
      this.#displace(config)
      this.#compiled.delete(name)
    }
  }

  #place({ name, containers }: ServiceConfig): void {
    for (const container of containers)
      this.#places.set(container.name, [...(this.#places.get(container.name) ?? []), name])
  }

  #displace({ name, containers }: ServiceConfig): void {
    for (const container of containers) {
      const others = this.#places.get(container.name)!.filter((other) => other !== name)
      if (others.length > 0) this.#places.set(container.name, others)
      else this.#places.delete(container.name)
    }
  }

  #servicesOf(containers: readonly string[]): ReadonlySet<string> {
    return new Set(containers.flatMap((name) => this.#places.get(name) ?? []))
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
