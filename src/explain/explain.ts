import { type Address, formatAddress, formatSource, isAddress4, lengthOf } from '../address.ts'
import type { Protocol } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import { TCP } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'
import { type Decision, decide } from '../pipeline/decide.ts'
import { type Evidence, noEvidence } from '../pipeline/evidence.ts'
import { addressOf, endpointPort, SnapshotLookup, sourceKey, type Way } from '../pipeline/lookup.ts'
import type { Front, Member, Snapshot } from '../pipeline/snapshot.ts'
import { formatScope } from '../scope.ts'
import { explainAlgorithm } from './algorithm.ts'
import { explainContainers, type Leader } from './containers.ts'
import { findEntry } from './entry.ts'
import type { Explanation, Rewrite, ServiceExplanation } from './explanation.ts'
import { explainAdmission, explainPins } from './pins.ts'
import { isoTime, pastOf, type Situation } from './situation.ts'

/** About whom, and which of the ways in that are open to him. */
export interface Question {
  readonly source: Address
  readonly service?: string | undefined
  readonly port?: PortAsked | undefined
}

export interface PortAsked {
  readonly port: number
  /** Undefined: either. */
  readonly protocol?: Protocol | undefined
}

/** Of more services nobody reads: one is named then. */
const MOST_SERVICES = 50

/** Throws E_USAGE for a service that is not there, and where no way in is open to the source. */
export function explain(question: Question, situation: Situation): Explanation {
  const { lookup, clock } = situation
  const groups = groupWays(openWays(question, lookup))
  if (groups.length === 0) throw nothingToAsk(question, lookup)
  const shown = groups.slice(0, MOST_SERVICES)
  const near = new SnapshotLookup(neighbourhood(shown, lookup.snapshot))
  const alias = lookup.aliases.aliasOf(question.source)
  return {
    source: formatAddress(question.source),
    at: isoTime(clock.zeroMs() + clock.nowSeconds() * 1000),
    ...(alias === undefined ? {} : { alias: formatAddress(alias) }),
    services: shown.map((ways) => explainService(ways, question.source, situation, near)),
    left: Math.max(0, groups.length - MOST_SERVICES),
  }
}

function openWays({ source, service, port }: Question, lookup: SnapshotLookup): readonly Way[] {
  return lookup.snapshot.services
    .filter(({ name }) => service === undefined || name === service)
    .flatMap((own) => own.fronts.map((front) => ({ service: own, front })))
    .filter(({ front }) => isAddress4(front.address) === isAddress4(source))
    .filter((way) => port === undefined || leadsThrough(way, port, lookup))
}

const PROTOCOLS: Readonly<Record<Protocol, number>> = { tcp: TCP.protocol, udp: UDP.protocol }

/** Ports come before `all`, also those of another service. */
const leadsThrough = ({ front }: Way, { port, protocol }: PortAsked, lookup: SnapshotLookup): boolean =>
  (protocol === undefined ? (['tcp', 'udp'] as const) : [protocol]).some((name) => {
    const end = { destination: front.address, protocol: PROTOCOLS[name], destinationPort: port }
    return lookup.way({ ...end, isRouted: false, isLaterFragment: false })?.front === front
  })

/** A decision each: what counts of a packet besides its source is the service, and the scope that entries are shared in. */
function groupWays(ways: readonly Way[]): readonly (readonly Way[])[] {
  const groups = new Map<string, Way[]>()
  for (const way of ways) {
    const name = `${way.service.id} ${way.front.scope}`
    groups.set(name, [...(groups.get(name) ?? []), way])
  }
  return [...groups.values()]
}

function nothingToAsk({ source, service, port }: Question, { snapshot }: SnapshotLookup): OnehopError {
  if (service !== undefined && !snapshot.services.some(({ name }) => name === service))
    return new OnehopError('E_USAGE', `"${service}" is no service; expected one of: onehop status`)
  const whose = service === undefined ? 'no service has' : `service "${service}" does not have`
  const family = isAddress4(source) ? 'IPv4' : 'IPv6'
  const what =
    port === undefined ? `an ${family} address` : `port ${formatPort(port)} at an ${family} address`
  return new OnehopError('E_USAGE', `${formatAddress(source)} could ask for nothing: ${whose} ${what}`)
}

const formatPort = ({ port, protocol }: PortAsked): string =>
  protocol === undefined ? `${port}` : `${port}/${protocol}`

/** The services that have a container's address in common with those of `groups`: only they say whose its answers are. */
function neighbourhood(groups: readonly (readonly Way[])[], snapshot: Snapshot): Snapshot {
  const addresses = new Set(
    groups.flatMap(([way]) =>
      way!.service.members.flatMap(({ container }) => [container.address4, container.address6]),
    ),
  )
  addresses.delete(undefined)
  const services = snapshot.services.filter(({ members }) =>
    members.some(({ container }) => addresses.has(container.address4) || addresses.has(container.address6)),
  )
  return { ...snapshot, services }
}

/** `near` has who shares containers with the service. */
function explainService(
  ways: readonly Way[],
  source: Address,
  situation: Situation,
  near: SnapshotLookup,
): ServiceExplanation {
  const { lookup, identities } = situation
  const way = ways[0]!
  const config = situation.service(way.service.name)!
  const key = sourceKey(way, source)
  const ends = { source, destination: way.front.address }
  const found = findEntry(key, way, ends, situation)
  const evidence = noEvidence()
  const decision = decide(ends, way, lookup, found?.inForce, pastOf(situation), evidence)
  const member = 'member' in decision ? decision.member : undefined
  const admission = explainAdmission(way.service, source)
  return {
    service: way.service.name,
    ways: ways.map(({ front }) => formatEnd(front)),
    knownAs: {
      scope: formatScope(identities.scopeName(key.scope) ?? ''),
      source: formatSource(key.source, lengthOf(key.source, way.service)),
    },
    decision: {
      reason: decision.reason,
      ...(member === undefined ? {} : { container: member.container.name }),
    },
    ...(admission === undefined ? {} : { admission }),
    pins: explainPins(way.service, source, evidence, config, situation),
    ...(found === undefined ? {} : { entry: found.explanation }),
    algorithm: explainAlgorithm(way.service, key.source, situation),
    containers: explainContainers(way, source, member, leaderOf(decision, evidence), config, situation),
    rewrites: member === undefined ? [] : ways.map(({ front }) => rewriteOf(front, member)),
    answers: member !== undefined && needsFlow(way, member, near) ? 'flow' : 'endpoint',
  }
}

/** What led to the container that was taken: the algorithm is asked last. */
function leaderOf({ reason }: Decision, { rows }: Evidence): Leader {
  if (reason === 'denied') return reason
  if (reason === 'source-limit' || reason === 'prefix-limit') return 'limit'
  return reason === 'pinned' ? 'pin' : rows.length === 0 ? 'entry' : 'algorithm'
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { [TCP.protocol]: 'tcp', [UDP.protocol]: 'udp' }

const formatEnd = ({ address, port, protocol }: Front): string =>
  protocol === 0
    ? `${formatAddress(address)}/all`
    : `${formatHost(address)}:${port}/${PROTOCOL_NAMES[protocol]}`

const formatHost = (address: Address): string =>
  isAddress4(address) ? formatAddress(address) : `[${formatAddress(address)}]`

/** Without a port where whichever the packet names stays. */
function rewriteOf(front: Front, member: Member): Rewrite {
  const address = addressOf(member.container, front.address)!
  const port = endpointPort(front, member)
  return {
    from: formatEnd(front),
    to:
      port === 0
        ? formatAddress(address)
        : `${formatHost(address)}:${port}/${PROTOCOL_NAMES[front.protocol]}`,
  }
}

const needsFlow = ({ front }: Way, member: Member, lookup: SnapshotLookup): boolean =>
  lookup.needsFlow(addressOf(member.container, front.address)!, front.protocol, endpointPort(front, member))
