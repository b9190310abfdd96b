import { type Address, formatAddress } from '../address.ts'
import { parseAddress } from '../config/address.ts'
import { isOwnTable } from './filter.ts'
import type { Host, Link, Rule } from './host.ts'
import type { NetworkIntent } from './intent.ts'
import { MARK_MASK, numbersOf, ROUTE_PROTOCOL } from './numbers.ts'
import { HOST_ITSELF, isOwnRoute, isOwnRule, isOwnTun, resolveUplinks } from './setup.ts'
import { hairpinConflicts } from './sources.ts'

/** What stands in the way of a set-up, each with what was expected. Pure; empty: nothing does. */
export function findConflicts(intent: NetworkIntent, host: Host): readonly string[] {
  return [
    ...nameConflicts(intent),
    ...interfaceConflicts(intent, host),
    ...tunConflicts(intent.tun, host),
    ...findUnusable(intent, host).values(),
    ...hairpinConflicts(intent, host),
    ...ruleConflicts(intent, host),
    ...filterConflicts(intent.tun, host),
  ]
}

/** What nft, ip and /proc/sys all take as a name and nothing more. */
const SAFE_NAME = /^[\p{L}\p{N}_.@+=][\p{L}\p{N}_.@+=-]*$/u

const nameConflicts = ({ tun, bridges, uplinks }: NetworkIntent): string[] =>
  [tun, ...bridges, ...uplinks]
    .filter((name) => !SAFE_NAME.test(name) || name === 'all' || name === 'default')
    .map((name) => `interface "${name}": expected a name of letters, digits and _.@+=-, not all or default`)

function interfaceConflicts(intent: NetworkIntent, host: Host): string[] {
  const isThere = (name: string) => host.links.some(({ ifname }) => ifname === name)
  const missing = (kind: string, names: readonly string[], existing: readonly Link[]) =>
    names
      .filter((name) => !isThere(name))
      .map((name) => `${kind} ${name} does not exist; this host has ${listNames(existing)}`)
  const bridges = host.links.filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge')
  const others = host.links.filter(({ ifname, master }) => ifname !== 'lo' && master === undefined)
  const conflicts = [
    ...missing('bridge', intent.bridges, bridges),
    ...missing('uplink', intent.uplinks, others),
  ]
  if (resolveUplinks(intent, host).length === 0)
    conflicts.push(
      'no default route, so no uplink to take; expected interfaces.uplinks (--uplink) to name one',
    )
  return conflicts
}

const MOST_LISTED = 20

function listNames(links: readonly Link[]): string {
  const names = links.slice(0, MOST_LISTED).map(({ ifname }) => ifname)
  const rest = links.length - names.length
  return names.length === 0 ? 'none' : `${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function tunConflicts(tun: string, host: Host): string[] {
  const link = host.links.find(({ ifname }) => ifname === tun)
  if (link === undefined || isOwnTun(link, tun, host)) return []
  const kind = link.linkinfo?.info_kind ?? link.link_type
  return [
    `${tun} is taken by an interface that onehop did not make (${kind}); expected another --tun name, or that it goes (ip link delete ${tun}; a program that made it may have to stop)`,
  ]
}

/** Public addresses that somebody else has or routes, and what is wrong with each. */
export function findUnusable(
  { publicAddresses, tun }: NetworkIntent,
  host: Host,
): ReadonlyMap<Address, string> {
  const owners = new Map(host.addresses.map(({ local, ifname }) => [parseAddress(local), ifname]))
  const foreign = host.routes.filter((route) => !isOwnRoute(tun, route))
  const routes = new Map(foreign.map((route) => [parseAddress(route.dst), route]))
  const problems = new Map<Address, string>()
  for (const address of publicAddresses) {
    const text = formatAddress(address)
    const owner = owners.get(address)
    const route = routes.get(address)
    if (owner !== undefined)
      problems.set(
        address,
        `public address ${text} is assigned to ${owner} of this host; expected one that no interface has (ip address delete ${text} dev ${owner})`,
      )
    else if (route !== undefined)
      problems.set(
        address,
        `public address ${route.dst} has a route that onehop did not make for ${tun} (dev ${route.dev ?? 'none'}, protocol ${route.protocol ?? 'none'}); expected none (ip route delete ${route.dst})`,
      )
  }
  return problems
}

function ruleConflicts({ tun, bridges }: NetworkIntent, host: Host): string[] {
  const { preference, table, mark } = numbersOf(tun)
  const isForeign = (rule: Rule) =>
    !isOwnRule(tun, rule) && (rule.priority === preference || rule.table === String(table))
  const hasOurMark = (rule: Rule) =>
    rule.protocol === String(ROUTE_PROTOCOL) &&
    rule.table !== String(table) &&
    rule.iif !== undefined &&
    (rule.iif === HOST_ITSELF || bridges.includes(rule.iif)) &&
    Number(rule.fwmark) === mark
  const rules = host.rules.filter((rule) => isForeign(rule) || hasOurMark(rule))
  const routes = host.tunRoutes.filter((route) => !isOwnRoute(tun, route))
  return [
    ...rules.map(
      (rule) =>
        `IPv${rule.family} rule ${rule.priority} (table ${rule.table ?? 'none'}${rule.iif === undefined ? '' : `, iif ${rule.iif}`}) has the preference, table or mark that ${tun} needs (${preference}, ${table}, 0x${mark.toString(16)}/0x${MARK_MASK.toString(16)}); expected it free, or another --tun name, which has other numbers`,
    ),
    ...routes.map(
      ({ dst, dev }) =>
        `table ${table} holds a route that onehop did not make for ${tun} (${dst} dev ${dev ?? 'none'}); expected it empty, or another --tun name, which has another table`,
    ),
  ]
}

const filterConflicts = (tun: string, { filter }: Host): string[] =>
  filter === undefined || isOwnTable(filter)
    ? []
    : [
        `nft table inet ${numbersOf(tun).nftTable} exists, but onehop did not make it; expected none (nft delete table inet ${numbersOf(tun).nftTable})`,
      ]
