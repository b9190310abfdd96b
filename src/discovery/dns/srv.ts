import type { SrvRecord } from 'node:dns'
import type { Address } from '../../address.ts'
import { type Discovered, MOST_ITEMS } from '../source.ts'
import { type Answer, type Resolving, UNTOLD_SECONDS } from './resolving.ts'

/** Targets that are asked for at once. */
const AT_ONCE = 16
const MOST_WEIGHT = 256

/**
 * One container a record (RFC 2782), named `target:port`, with the target's first address of each family. Records of the
 * lowest priority number take new clients; the others stand by: they keep the clients they have.
 */
export async function srvContainers(name: string, resolving: Resolving): Promise<Answer<Discovered>> {
  const records = distinct(await resolving.services(name)).slice(0, MOST_ITEMS)
  const targets = await resolveTargets([...new Set(records.map((record) => record.name))], resolving)
  const first = Math.min(...records.map(({ priority }) => priority))
  const heaviest = Math.max(...records.map(({ weight }) => weight))
  const reachable = records.filter((record) => targets.get(record.name)!.isReachable)
  return {
    items: reachable.map((record) => ({
      name: nameOf(record),
      address: targets.get(record.name)!.address,
      address6: targets.get(record.name)!.address6,
      port: record.port,
      weight: scaled(record.weight, heaviest),
      state: record.priority === first ? 'ready' : 'draining',
    })),
    problems: [...targets.values()].flatMap(({ problems }) => problems),
    ttlSeconds: Math.min(UNTOLD_SECONDS, ...[...targets.values()].map(({ ttlSeconds }) => ttlSeconds)),
  }
}

const nameOf = ({ name, port }: SrvRecord): string => `${name.toLowerCase().replace(/\.$/, '')}:${port}`

/** By priority, so that what a bound cuts off is what would be used last; a target and port given twice counts once. */
function distinct(records: readonly SrvRecord[]): readonly SrvRecord[] {
  const sorted = records.toSorted((a, b) => a.priority - b.priority || (nameOf(a) < nameOf(b) ? -1 : 1))
  return [...new Map(sorted.toReversed().map((record) => [nameOf(record), record])).values()].toReversed()
}

/** SRV weights go up to 65535, and one of 0 still has a small chance. */
function scaled(weight: number, heaviest: number): number {
  const scale = heaviest > MOST_WEIGHT ? MOST_WEIGHT / heaviest : 1
  return Math.max(1, Math.round(weight * scale))
}

interface Target {
  readonly address: Address | undefined
  readonly address6: Address | undefined
  readonly isReachable: boolean
  readonly problems: readonly string[]
  readonly ttlSeconds: number
}

async function resolveTargets(
  names: readonly string[],
  resolving: Resolving,
): Promise<ReadonlyMap<string, Target>> {
  const targets = new Map<string, Target>()
  const rest = names.values()
  const work = async () => {
    for (const name of rest) targets.set(name, await resolveTarget(name, resolving))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return targets
}

async function resolveTarget(name: string, resolving: Resolving): Promise<Target> {
  const [v4, v6] = await Promise.all([resolving.addresses(name, 'A'), resolving.addresses(name, 'AAAA')])
  const [address] = v4.items
  const [address6] = v6.items
  const isReachable = address !== undefined || address6 !== undefined
  return {
    address: address?.address,
    address6: address6?.address,
    isReachable,
    problems: [...v4.problems, ...v6.problems, ...(isReachable ? [] : [`${name}: no address`])],
    ttlSeconds: Math.min(v4.ttlSeconds, v6.ttlSeconds),
  }
}
