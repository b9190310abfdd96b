import { isAddress4 } from '../address.ts'
import { compileSnapshot } from '../compile.ts'
import type { Config, ServiceConfig } from '../config/config.ts'
import type { Condition } from '../containers/conditions.ts'
import type { ChooseThen, PastChoice, StateThen } from '../decisions/past.ts'
import { decide } from '../pipeline/decide.ts'
import { Identities } from '../pipeline/identities.ts'
import { SnapshotLookup } from '../pipeline/lookup.ts'

/** Of turns and counts, which no log has, a decision is to be independent. */
const NOTHING_COUNTED = { sourcesOn: () => 0, turn: () => 0, limitOf: () => undefined }

/**
 * Whom a service would have chosen for a source that it did not know: by the config in force now, weights too, and by its containers
 * as they stood then.
 */
export const chooseThen =
  (
    config: Config,
    key: Uint8Array,
    weightOf: (service: ServiceConfig, container: string) => number,
  ): ChooseThen =>
  (name, source, stateThen, atMs): PastChoice => {
    const now = config.services.find((service) => service.name === name)
    if (now === undefined) return { service: name, unknown: 'service' }
    const containers = now.containers.filter((container) => stateThen(container.name) !== 'gone')
    if (isStarting(now, stateThen, atMs)) return { service: name, unknown: 'slow-start' }
    const conditions = new Map(
      containers.map((container): [string, Condition] => [
        container.name,
        { state: readyUnless(stateThen(container.name)), weight: weightOf(now, container.name) },
      ]),
    )
    const service = { ...now, containers, slowStartMs: undefined }
    const snapshot = compileSnapshot({ ...config, services: [service] }, new Identities(), key, conditions)
    const [own] = snapshot.services
    const front = own?.fronts.find(({ address }) => isAddress4(address) === isAddress4(source))
    if (own === undefined || front === undefined) return { service: name, unknown: 'family' }
    const way = { service: own, front }
    const ends = { source, destination: front.address }
    const decision = decide(ends, way, new SnapshotLookup(snapshot), undefined, NOTHING_COUNTED)
    if (!('member' in decision)) return { service: name, reason: decision.reason }
    const isByAlgorithm = decision.reason !== 'pinned'
    if (isByAlgorithm && now.algorithm !== 'maglev') return { service: name, unknown: now.algorithm }
    return { service: name, reason: decision.reason, container: decision.member.container.name }
  }

const readyUnless = (then: ReturnType<StateThen>): Condition['state'] =>
  then === 'gone' ? 'ready' : then.state

/** A container's part of the new sources was still growing, by steps that no log has. */
const isStarting = (
  { slowStartMs, containers }: ServiceConfig,
  stateThen: StateThen,
  atMs: number,
): boolean =>
  slowStartMs !== undefined &&
  containers.some(({ name }) => {
    const then = stateThen(name)
    return then !== 'gone' && then.since !== undefined && then.since + slowStartMs > atMs
  })
