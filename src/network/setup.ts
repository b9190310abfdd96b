import { type Address, covers, formatAddress, formatPrefix, isAddress4, type Prefix } from '../address.ts'
import { parseAddress, parsePrefix } from '../config/address.ts'
import { standingAccepts, wantedAccepts } from './accepts.ts'
import { type Filter, isOwnTable, standingFilter, wantedFilter } from './filter.ts'
import type { Family, Host, Link, Route, Rule } from './host.ts'
import type { NetworkIntent } from './intent.ts'
import type { SysctlEntry } from './journal.ts'
import { MARK_MASK, numbersOf, ROUTE_PROTOCOL, TUN_ADDRESS, TUN_ALIAS, TUN_GROUP } from './numbers.ts'
import { tunSysctls, type WantedSysctl, wantedEntries, wantedSysctls } from './sysctls.ts'

/**
 * All that is made for one TUN, either as it stands or as it must stand. Routes, rules and proxies are the
 * words that follow `ip route add` and so on, so that two setups are compared text by text.
 */
export interface Setup {
  readonly tun: TunSetup | undefined
  readonly filter: Filter | undefined
  readonly rules4: ReadonlySet<string>
  readonly rules6: ReadonlySet<string>
  /** Of the table that the rules lead to. */
  readonly tunRoutes: ReadonlySet<string>
  /** Of the journal, and so maybe not yet or no longer what the kernel has. */
  readonly sysctls: readonly SysctlEntry[]
  readonly accepts: ReadonlySet<string>
  /** The public addresses' routes, and the alias prefixes'. */
  readonly routes: ReadonlySet<string>
  readonly proxies: ReadonlySet<string>
}

export interface TunSetup {
  /** The words that follow `ip link set dev TUN`. */
  readonly attributes: string
  readonly hasAddress: boolean
  readonly sysctls: readonly WantedSysctl[]
}

export const EMPTY_SETUP: Setup = {
  tun: undefined,
  filter: undefined,
  rules4: new Set(),
  rules6: new Set(),
  tunRoutes: new Set(),
  sysctls: [],
  accepts: new Set(),
  routes: new Set(),
  proxies: new Set(),
}

/** Room for a burst while no thread reads: a full queue drops silently. */
const QUEUE_LENGTH = 10_000

/** What must stand on this host. Pure; conflicts.ts says when it cannot. */
export function wantedSetup(intent: NetworkIntent, host: Host): Setup {
  const { tun, bridges, publicAddresses } = intent
  const uplinks = resolveUplinks(intent, host)
  const has4 = publicAddresses.some(isAddress4)
  const has6 = publicAddresses.some((address) => !isAddress4(address))
  const proxies = wantedProxies(publicAddresses, uplinks, host)
  const devices = (family: 4 | 6) =>
    unique(proxies.filter(({ address }) => isAddress4(address) === (family === 4)).map(({ dev }) => dev))
  const marked = [...bridges, HOST_ITSELF]
  const needs = {
    tun,
    interfaces: unique([...uplinks, ...bridges]),
    has4,
    has6,
    proxies4: devices(4),
    proxies6: devices(6),
  }
  return {
    tun: { attributes: tunAttributes(bridges, host), hasAddress: has4, sysctls: tunSysctls(tun, host) },
    filter: wantedFilter(intent, uplinks),
    rules4: new Set(has4 ? marked.map((name) => ruleText(tun, name)) : []),
    rules6: new Set(has6 ? marked.map((name) => ruleText(tun, name)) : []),
    tunRoutes: new Set([
      ...(has4 ? [tunRouteText(tun, '0.0.0.0/0')] : []),
      ...(has6 ? [tunRouteText(tun, '::/0')] : []),
    ]),
    sysctls: wantedEntries(tun, wantedSysctls(needs, host), host),
    accepts: wantedAccepts(host.acceptChains),
    routes: new Set([
      ...wantedAliases(intent, has4, has6).map((alias) => aliasRouteText(tun, alias)),
      ...publicAddresses.map((address) => routeText(tun, address)),
    ]),
    proxies: new Set(proxies.map(({ address, dev }) => proxyText(address, dev))),
  }
}

/** The named ones, or the interfaces of the default routes. */
export function resolveUplinks({ uplinks, tun }: NetworkIntent, { routes }: Host): readonly string[] {
  if (uplinks.length > 0) return uplinks
  const defaults = routes.filter(({ dst }) => dst === 'default')
  const devices = defaults.flatMap(({ dev, nexthops = [] }) => [dev, ...nexthops.map((hop) => hop.dev)])
  return unique(devices.filter((dev) => dev !== undefined && dev !== tun && dev !== 'lo'))
}

const unique = <T>(items: readonly (T | undefined)[]): readonly T[] =>
  [...new Set(items)].filter((item) => item !== undefined)

/** To `ip rule`, whence packets come that the host makes itself. */
export const HOST_ITSELF = 'lo'

/** Until there is a bridge. */
const USUAL_MTU = 1500

/** What the TUN takes fits one bridge at least; what is then too large for another, the kernel cuts or refuses there. */
function tunAttributes(bridges: readonly string[], { links }: Host): string {
  const mtus = links.filter(({ ifname }) => bridges.includes(ifname)).map(({ mtu }) => mtu)
  return attributesText(mtus.length === 0 ? USUAL_MTU : Math.max(...mtus), QUEUE_LENGTH)
}

const attributesText = (mtu: number, queueLength: number): string =>
  `alias ${TUN_ALIAS} group ${TUN_GROUP} mtu ${mtu} txqueuelen ${queueLength} addrgenmode none up`

const ruleText = (tun: string, from: string): string => {
  const { preference, mark, table } = numbersOf(tun)
  return `pref ${preference} iif ${from} fwmark ${hex(mark)}/${hex(MARK_MASK)} lookup ${table} protocol ${ROUTE_PROTOCOL}`
}

const hex = (value: number): string => `0x${value.toString(16)}`

const tunRouteText = (dev: string, prefix: string, table = numbersOf(dev).table): string =>
  `${prefix} dev ${dev} table ${table} proto ${ROUTE_PROTOCOL}`

const routeText = (tun: string, address: Address): string =>
  `${formatAddress(address)} dev ${tun} proto ${ROUTE_PROTOCOL}`

/**
 * Where the host's own ICMP errors for an alias go, and what makes an alias a source that reverse path filters believe. The
 * metric lets TUNs have one alias prefix side by side.
 */
const aliasRouteText = (tun: string, alias: Prefix, metric = numbersOf(tun).preference): string =>
  `${formatPrefix(alias)} dev ${tun} proto ${ROUTE_PROTOCOL} metric ${metric}`

/** Of the families that have a public address to call. */
const wantedAliases = ({ hairpin }: NetworkIntent, has4: boolean, has6: boolean): readonly Prefix[] =>
  hairpin === undefined ? [] : [...(has4 ? [hairpin.alias4] : []), ...(has6 ? [hairpin.alias6] : [])]

const proxyText = (address: Address, dev: string): string =>
  `${formatAddress(address)} dev ${dev} protocol ${ROUTE_PROTOCOL}`

interface WantedProxy {
  readonly address: Address
  readonly dev: string
}

/** A public address that uplinks' neighbours take for one of their own link's must be answered for there. */
function wantedProxies(
  addresses: readonly Address[],
  uplinks: readonly string[],
  host: Host,
): readonly WantedProxy[] {
  const onLink = host.routes.flatMap((route) => onLinkPrefix(route, uplinks))
  return addresses.flatMap((address) => {
    const devices = onLink.filter(({ prefix }) => covers(prefix, address))
    return unique(devices.map(({ dev }) => dev)).map((dev) => ({ address, dev }))
  })
}

function onLinkPrefix({ dst, dev, gateway, via }: Route, uplinks: readonly string[]) {
  if (dev === undefined || !uplinks.includes(dev) || gateway !== undefined || via !== undefined) return []
  const prefix = parsePrefix(dst)
  return prefix === undefined ? [] : [{ prefix, dev }]
}

/** What stands of it, found by its marks. Pure. */
export function standingSetup(tun: string, host: Host): Setup {
  const rules = host.rules.filter((rule) => isOwnRule(tun, rule))
  const rulesOf = (family: Family) =>
    new Set(rules.filter((rule) => rule.family === family).map(standingRuleText))
  return {
    tun: standingTun(tun, host),
    filter: host.filter !== undefined && isOwnTable(host.filter) ? standingFilter(host.filter) : undefined,
    rules4: rulesOf(4),
    rules6: rulesOf(6),
    tunRoutes: new Set(
      host.tunRoutes
        .filter((route) => isOwnRoute(tun, route))
        .map(({ dst, family }) => tunRouteText(tun, dst === 'default' ? ANYWHERE[family] : dst)),
    ),
    sysctls: host.journals.get(tun)?.sysctls ?? [],
    accepts: standingAccepts(tun, host.acceptChains),
    routes: new Set(
      host.routes
        .filter((route) => isOwnRoute(tun, route))
        .flatMap((route) => standingRouteTexts(tun, route)),
    ),
    proxies: standingProxies(tun, host),
  }
}

const ANYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const

const addressesOf = (text: string): readonly Address[] => {
  const address = parseAddress(text)
  return address === undefined ? [] : [address]
}

function standingRouteTexts(tun: string, { dst, metric }: Route): readonly string[] {
  if (!dst.includes('/')) return addressesOf(dst).map((address) => routeText(tun, address))
  const alias = parsePrefix(dst)
  return alias === undefined ? [] : [aliasRouteText(tun, alias, metric)]
}

export const isOwnRoute = (tun: string, { dev, protocol }: Route): boolean =>
  dev === tun && protocol === String(ROUTE_PROTOCOL)

export function isOwnRule(tun: string, { priority, table, protocol }: Rule): boolean {
  const own = numbersOf(tun)
  return priority === own.preference && table === String(own.table) && protocol === String(ROUTE_PROTOCOL)
}

const standingRuleText = ({ priority, iif, fwmark, fwmask, table }: Rule): string =>
  [
    `pref ${priority}`,
    ...(iif === undefined ? [] : [`iif ${iif}`]),
    ...(fwmark === undefined ? [] : [`fwmark ${fwmark}${fwmask === undefined ? '' : `/${fwmask}`}`]),
    `lookup ${table} protocol ${ROUTE_PROTOCOL}`,
  ].join(' ')

/** The device of our flags that bears our alias, or that a set-up which has just begun did not get to name. */
export const isOwnTun = (link: Link, tun: string, host: Host): boolean =>
  isOurKind(link) && (link.ifalias === TUN_ALIAS || (link.ifalias === undefined && host.journals.has(tun)))

function isOurKind({ linkinfo }: Link): boolean {
  const { type, pi, vnet_hdr, multi_queue, persist } = linkinfo?.info_data ?? {}
  return (
    linkinfo?.info_kind === 'tun' &&
    type === 'tun' &&
    pi === false &&
    vnet_hdr === true &&
    multi_queue === true &&
    persist === true
  )
}

function standingTun(tun: string, host: Host): TunSetup | undefined {
  const link = host.links.find(({ ifname }) => ifname === tun)
  if (link === undefined || !isOwnTun(link, tun, host)) return undefined
  const isComplete =
    link.ifalias === TUN_ALIAS &&
    link.group === String(TUN_GROUP) &&
    link.inet6_addr_gen_mode === 'none' &&
    link.flags.includes('UP')
  return {
    attributes: isComplete ? attributesText(link.mtu, link.txqlen ?? 0) : 'incomplete',
    hasAddress: host.addresses.some(({ ifname, local }) => ifname === tun && local === TUN_ADDRESS),
    sysctls: tunSysctls(tun, host).filter(({ key, value }) => host.sysctls.get(key) === value),
  }
}

/** Of all proxies that onehop made, those of this TUN's addresses, and those that no TUN has any more. */
function standingProxies(tun: string, host: Host): ReadonlySet<string> {
  const others = new Set(
    host.routes
      .filter(({ dev, protocol }) => protocol === String(ROUTE_PROTOCOL) && dev !== tun)
      .flatMap(({ dst }) => addressesOf(dst)),
  )
  const ours = host.proxies.filter(({ protocol }) => protocol === String(ROUTE_PROTOCOL))
  return new Set(
    ours.flatMap(({ dst, dev }) =>
      addressesOf(dst)
        .filter((address) => !others.has(address))
        .map((address) => proxyText(address, dev)),
    ),
  )
}
