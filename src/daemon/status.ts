import { formatAddress } from '../address.ts'
import { iterable } from '../api/pieces.ts'
import type { ContainerStatus, LiveStatus, ServiceStatus, Status } from '../api/status.ts'
import { type Config, formatPortRule, type ServiceConfig } from '../config/config.ts'
import type { Places } from '../config/places.ts'
import type { Conditions } from '../containers/conditions.ts'
import type { Counters, IoCounters, Latency } from '../dataplane/dataplane.ts'
import { countOf, quantileNs } from '../dataplane/latency.ts'
import type { SourceStatus } from '../discovery/discovery.ts'
import { eachContainer } from '../each-container.ts'
import type { Counted, Measured } from '../metrics/metrics.ts'
import type { Identities } from '../pipeline/identities.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { scopeNames } from '../scope.ts'
import { stateIn } from './container-states.ts'

export interface StatusParts {
  readonly version: string
  readonly pid: number
  readonly upSeconds: number
  readonly routes: boolean
  readonly origin: { readonly from: Status['config']['from']; readonly file: string | undefined }
  readonly config: Config
  readonly identities: Identities
  readonly counters: Counters
  readonly store: Status['store']
  readonly decisions: Status['decisions']
  readonly io: IoCounters
  readonly conditions: Conditions
  readonly sources: readonly SourceStatus[]
  readonly problems: readonly string[]
}

/** Of the moment: what is counted later does not come into lists that are read later. */
export function buildStatus(parts: StatusParts): LiveStatus {
  const { config, counters } = parts
  const { latency, ...io } = parts.io
  return {
    version: parts.version,
    pid: parts.pid,
    upSeconds: parts.upSeconds,
    tun: config.interfaces.tun,
    config: {
      from: parts.origin.from,
      ...(parts.origin.file === undefined ? {} : { file: parts.origin.file }),
    },
    bridges: config.interfaces.bridges,
    routes: parts.routes ? 'made' : 'left',
    received: counters.received,
    verdicts: verdictsOf(counters),
    table: counters.table,
    store: parts.store,
    decisions: parts.decisions,
    io,
    latency: latencyOf(latency),
    services: iterable(() => servicesOf(parts)),
    containers: iterable(() => containersOf(parts)),
    sources: parts.sources,
    problems: parts.problems,
  }
}

function* servicesOf(parts: StatusParts): Generator<ServiceStatus> {
  const { config, counters, identities } = parts
  for (const service of config.services)
    yield {
      ...describeService(service),
      ...entriesOf(service, parts),
      ...(counters.services.get(identities.service(service.name)) ?? NO_TRAFFIC),
    }
}

export function buildMeasured(parts: StatusParts, places: Places): Measured {
  const { containers, ...status } = buildStatus(parts)
  return {
    status,
    services: { count: parts.config.services.length, all: iterable(() => countedServices(parts)) },
    containers: { count: places.containers, all: containers, ...tally(parts.conditions, places) },
    latency: parts.io.latency,
  }
}

/** Most are ready, and of those nothing is said. */
function tally(conditions: Conditions, places: Places) {
  const inState = { ready: places.containers, draining: 0, down: 0 }
  let flapping = 0
  for (const [name, { state, by }] of conditions) {
    if (by === 'flapping') flapping++
    if (state === 'ready' || !places.has(name)) continue
    inState.ready--
    inState[state]++
  }
  return { inState, flapping }
}

/** What is counted of them, without what they are. */
function* countedServices({ config, counters, identities }: StatusParts): Generator<Counted> {
  for (const { name } of config.services)
    yield { name, ...(counters.services.get(identities.service(name)) ?? NO_TRAFFIC) }
}

function* containersOf({
  config,
  counters,
  identities,
  conditions,
}: StatusParts): Generator<ContainerStatus> {
  for (const [id, { name, address, address6 }] of eachContainer(config, identities))
    yield {
      name,
      addresses: [address, address6].filter((own) => own !== undefined).map(formatAddress),
      state: stateIn(conditions)(name),
      ...(counters.containers.get(id) ?? NO_TRAFFIC),
    }
}

const latencyOf = ({ boundsNs, ...directions }: Latency): Status['latency'] =>
  (['request', 'answer', 'other'] as const).map((direction) => {
    const counts = directions[direction]
    const quantileUs = (part: number) => roundUs(quantileNs(counts, boundsNs, part))
    return { direction, packets: countOf(counts), p50Us: quantileUs(0.5), p99Us: quantileUs(0.99) }
  })

const roundUs = (ns: number | undefined): number | undefined =>
  ns === undefined ? undefined : Math.round(ns / 100) / 10

const NO_TRAFFIC = { in: { packets: 0, bytes: 0 }, out: { packets: 0, bytes: 0 } }

const verdictsOf = ({ reasons }: Counters): Status['verdicts'] =>
  REASONS.map(([verdict, reason], code) => ({ verdict, reason, ...reasons[code]! })).filter(
    ({ packets }) => packets > 0,
  )

function entriesOf(service: ServiceConfig, { counters, identities }: StatusParts) {
  const entries = [...scopeNames(service)].reduce(
    (sum, scope) => sum + (counters.scopes.get(identities.scope(scope)) ?? 0),
    0,
  )
  return { entries, ...(service.quota === undefined ? {} : { quota: service.quota }) }
}

const describeService = (service: ServiceConfig) => ({
  name: service.name,
  addresses: service.addresses.map(formatAddress),
  ports: service.ports === 'all' ? ['all'] : service.ports.map(formatPortRule),
  containers: service.containers.map(({ name }) => name),
})
