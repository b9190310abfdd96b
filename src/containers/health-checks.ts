import { formatAddress } from '../address.ts'
import type { Config, ContainerConfig, HealthConfig, ServiceConfig } from '../config/config.ts'
import { healthPortOf } from '../config/health.ts'
import { difference } from '../difference.ts'
import type { Standing } from './container-list.ts'
import { ASSUMED_UP, nextHealth } from './health.ts'
import { Echoes, type OpenEchoSocket, type Prober } from './probes/echo.ts'
import { isOfThisHost, type ProbeResult, type ProbeTarget, probe } from './probes/probe.ts'

/** A container that a check turned up or down. */
export interface HealthChange {
  readonly container: string
  readonly isUp: boolean
  /** What the last probe failed with; undefined when it is up. */
  readonly failure: ProbeResult
  /** When it was known, in performance.now()'s milliseconds. */
  readonly knownMs: number
}

/** A check, and how many services ask for it. */
interface Shared {
  readonly check: Check
  services: number
}

interface ContainerPlan {
  readonly container: string
  /** Plans that are the same have the same. */
  readonly key: string
  readonly plan: Plan
}

interface Plan extends Omit<HealthConfig, 'asks'> {
  readonly target: ProbeTarget
}

/**
 * Runs the checks that a config asks for: one timer and at most one open socket each, the first somewhere within the
 * first interval. `onChange` gets all that turned in one round of the event loop at once, so that a host full of
 * containers going down costs one snapshot.
 */
export class HealthChecks {
  readonly #onChange: (changes: readonly HealthChange[]) => void
  readonly #echoes: Echoes
  readonly #random: () => number
  /** Container's name → what is asked of it → check. Services that ask the same share one. */
  readonly #checks = new Map<string, Map<string, Shared>>()
  /** What it was last asked for. */
  #services: Config['services'] = []
  /** Of those that ask for checks. */
  readonly #planned = new Map<ServiceConfig, readonly ContainerPlan[]>()
  readonly #down = new Set<string>()
  #turned: HealthChange[] = []
  /** Checks that this host cannot make, and why. */
  readonly #hindered = new Map<Check, string>()

  constructor(
    onChange: (changes: readonly HealthChange[]) => void,
    openEchoSocket: OpenEchoSocket,
    random: () => number = Math.random,
  ) {
    this.#onChange = onChange
    this.#echoes = new Echoes(openEchoSocket)
    this.#random = random
  }

  /** Down as long as any of its checks says so; up without a check. */
  isUp(container: string): boolean {
    return this.#downSinceMs(container) === undefined
  }

  /** Those that are not up. */
  get down(): ReadonlySet<string> {
    return this.#down
  }

  /** Why checks cannot be made, the first such reason; containers stay as they are meanwhile. */
  get problems(): readonly string[] {
    const [reason] = this.#hindered.values()
    return reason === undefined ? [] : [`health checks cannot be made: ${reason}`]
  }

  /** Those that would stay down if `config` were followed: another check begins anew. */
  downUnder({ services }: Config): ReadonlySet<string> {
    const names = services.flatMap((service) =>
      plansOf(service).flatMap(({ container, key }) =>
        this.#checks.get(container)?.get(key)?.check.downSinceMs === undefined ? [] : [container],
      ),
    )
    return new Set(names)
  }

  /** What is said of a container elsewhere, overruled where its checks failed. */
  standing(standing: Standing): Standing {
    const sinceMs = this.#downSinceMs(standing.container)
    if (sinceMs === undefined) return standing
    const sinceSeconds = Math.round((performance.now() - sinceMs) / 1000)
    return { ...standing, state: 'down', reason: 'health', sinceSeconds, leftSeconds: undefined }
  }

  #downSinceMs(container: string): number | undefined {
    for (const { check } of this.#checks.get(container)?.values() ?? [])
      if (check.downSinceMs !== undefined) return check.downSinceMs
    return undefined
  }

  /** Follows the config: a check that is asked for as before goes on with what it knows. */
  update({ services }: Config): void {
    const { gone, come } = difference(this.#services, services)
    this.#services = services
    for (const service of come) {
      const plans = plansOf(service)
      if (plans.length > 0) this.#planned.set(service, plans)
      for (const plan of plans) this.#start(plan)
    }
    for (const service of gone) {
      for (const plan of this.#planned.get(service) ?? []) this.#end(plan)
      this.#planned.delete(service)
    }
  }

  close(): void {
    for (const checks of this.#checks.values()) for (const { check } of checks.values()) check.close()
    this.#checks.clear()
    this.#planned.clear()
    this.#services = []
    this.#down.clear()
    this.#hindered.clear()
    this.#echoes.close()
    this.#turned = []
  }

  /** Nothing is left to tell when it was closed meanwhile. */
  #tell(): void {
    const changes = this.#turned.splice(0)
    if (changes.length > 0) this.#onChange(changes)
  }

  /** What another service asks for too goes on. */
  #start({ container, key, plan }: ContainerPlan): void {
    const checks = this.#checks.get(container) ?? new Map<string, Shared>()
    const shared = checks.get(key)
    if (shared !== undefined) {
      shared.services++
      return
    }
    const onTurn = (isUp: boolean, failure: ProbeResult) => this.#report(container, isUp, failure)
    const onHindrance = (reason: string | undefined) =>
      reason === undefined ? this.#hindered.delete(check) : this.#hindered.set(check, reason)
    const check: Check = new Check(plan, this.#echoes, onTurn, onHindrance, this.#random)
    checks.set(key, { check, services: 1 })
    this.#checks.set(container, checks)
  }

  #end({ container, key }: ContainerPlan): void {
    const checks = this.#checks.get(container)!
    const shared = checks.get(key)!
    if (--shared.services > 0) return
    shared.check.close()
    this.#hindered.delete(shared.check)
    checks.delete(key)
    if (checks.size === 0) this.#checks.delete(container)
    this.#note(container)
  }

  #report(container: string, isUp: boolean, failure: ProbeResult): void {
    if (this.#turned.length === 0) setImmediate(() => this.#tell())
    this.#turned.push({ container, isUp, failure, knownMs: performance.now() })
    this.#note(container)
  }

  #note(container: string): void {
    if (this.isUp(container)) this.#down.delete(container)
    else this.#down.add(container)
  }
}

/** One target, probed again and again. */
class Check {
  readonly #plan: Plan
  readonly #echo: Prober
  readonly #onTurn: (isUp: boolean, failure: ProbeResult) => void
  readonly #onHindrance: (reason: string | undefined) => void
  readonly #random: () => number
  #health = ASSUMED_UP
  /** In performance.now()'s milliseconds; undefined while it is up. */
  downSinceMs: number | undefined
  #timer: NodeJS.Timeout
  #cancel = () => {}

  constructor(
    plan: Plan,
    echo: Prober,
    onTurn: (isUp: boolean, failure: ProbeResult) => void,
    onHindrance: (reason: string | undefined) => void,
    random: () => number,
  ) {
    this.#plan = plan
    this.#echo = echo
    this.#onTurn = onTurn
    this.#onHindrance = onHindrance
    this.#random = random
    this.#timer = setTimeout(() => this.#probe(), plan.intervalMs * random())
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#cancel()
  }

  #probe(): void {
    this.#cancel = probe(this.#plan.target, this.#echo, (result) => this.#take(result))
  }

  #take(result: ProbeResult): void {
    const wasUp = this.#health.isUp
    const hindrance = result !== undefined && isOfThisHost(result) ? result : undefined
    this.#onHindrance(hindrance)
    if (hindrance === undefined) this.#health = nextHealth(this.#health, result === undefined, this.#plan)
    const spread = 1 + this.#plan.jitter * (2 * this.#random() - 1)
    this.#timer = setTimeout(() => this.#probe(), this.#plan.intervalMs * spread)
    if (this.#health.isUp === wasUp) return
    this.downSinceMs = wasUp ? performance.now() : undefined
    this.#onTurn(!wasUp, result)
  }
}

const plansOf = (service: ServiceConfig): readonly ContainerPlan[] =>
  service.containers.flatMap((container) => {
    const plan = planOf(service, container)
    return plan === undefined ? [] : [{ container: container.name, key: JSON.stringify(plan), plan }]
  })

/** The container's IPv4 address, or its IPv6 address when it has only that. */
function planOf(service: ServiceConfig, container: ContainerConfig): Plan | undefined {
  const address = container.address ?? container.address6
  if (service.health === undefined || address === undefined) return undefined
  const { asks, ...plan } = service.health
  const { timeoutMs } = plan
  if (asks.type === 'icmp') return { ...plan, target: { type: 'icmp', address, timeoutMs } }
  const port = healthPortOf(service, container)
  if (port === undefined) return undefined
  return { ...plan, target: { ...asks, host: formatAddress(address), port, timeoutMs } }
}
