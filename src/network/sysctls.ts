import type { Host } from './host.ts'
import type { SysctlEntry } from './journal.ts'

/** A sysctl that must stand, by its key under /proc/sys. */
export interface WantedSysctl {
  readonly key: string
  readonly value: string
  readonly kept?: readonly string[]
}

/** What the sysctls of the host depend on. */
export interface SysctlNeeds {
  readonly tun: string
  /** Where packets come in: the uplinks and bridges. */
  readonly interfaces: readonly string[]
  readonly has4: boolean
  readonly has6: boolean
  /** Uplinks that answer for public addresses on their link. */
  readonly proxies4: readonly string[]
  readonly proxies6: readonly string[]
}

const IPV4 = 'net/ipv4/conf'
const IPV6 = 'net/ipv6/conf'

/** Of the TUN itself: they go with it and need no journal. */
export function tunSysctls(tun: string, host: Host): readonly WantedSysctl[] {
  const wanted = [
    { key: `${IPV4}/${tun}/forwarding`, value: '1' },
    // What comes out of the TUN has sources that are routed elsewhere; the larger of this and `all` counts,
    // and 2 (loose) is larger than 1 (strict).
    { key: `${IPV4}/${tun}/rp_filter`, value: '2' },
    // The host's own ICMP errors go in, and come out as they were when they are about somebody else's packets.
    { key: `${IPV4}/${tun}/accept_local`, value: '1' },
  ]
  return hasForceForwarding(host) ? [...wanted, { key: forceForwarding(tun), value: '1' }] : wanted
}

/** In the order in which they are to be set; undone backwards. */
export function wantedSysctls(needs: SysctlNeeds, host: Host): readonly WantedSysctl[] {
  return [...(needs.has4 ? wanted4(needs) : []), ...(needs.has6 ? wanted6(needs, host) : [])]
}

const wanted4 = ({ interfaces, proxies4 }: SysctlNeeds): WantedSysctl[] => [
  ...interfaces.map((name) => ({ key: `${IPV4}/${name}/forwarding`, value: '1' })),
  // Otherwise an answer for a proxied address waits up to 0.8 s (arp(7), proxy_delay).
  ...proxies4.map((name) => ({ key: `net/ipv4/neigh/${name}/proxy_delay`, value: '0' })),
]

/** Since Linux 6.17 one interface can forward without the whole host becoming a router. */
const forceForwarding = (name: string): string => `${IPV6}/${name}/force_forwarding`

const hasForceForwarding = (host: Host): boolean => host.sysctls.get(forceForwarding('all')) !== undefined

function wanted6(needs: SysctlNeeds, host: Host): WantedSysctl[] {
  const forwarding = hasForceForwarding(host)
    ? needs.interfaces.map((name) => ({ key: forceForwarding(name), value: '1' }))
    : [forwardEverywhere(host)]
  const proxying = needs.proxies6.flatMap((name) => [
    { key: `${IPV6}/${name}/forwarding`, value: '1' },
    { key: `${IPV6}/${name}/proxy_ndp`, value: '1' },
    { key: `net/ipv6/neigh/${name}/proxy_delay`, value: '0' },
  ])
  const makesRouter = proxying.length > 0 || !hasForceForwarding(host)
  return [...(makesRouter ? keepAdvertisements(needs.tun, host) : []), ...forwarding, ...proxying]
}

const ALL_FORWARDING = `${IPV6}/all/forwarding`

/** Writing it writes every interface's too, which putting it back would clear where it was set before. */
function forwardEverywhere(host: Host): WantedSysctl {
  const entry = entriesOf(host).find(({ key }) => key === ALL_FORWARDING)
  if (entry !== undefined) return { key: ALL_FORWARDING, value: '1', kept: entry.kept ?? [] }
  const names = ['default', ...host.sysctls.interfaces6()]
  const keys = names.map((name) => `${IPV6}/${name}/forwarding`)
  return { key: ALL_FORWARDING, value: '1', kept: keys.filter((key) => host.sysctls.get(key) === '1') }
}

/**
 * An interface that forwards no longer hears router advertisements unless accept_ra is 2, and the moment any
 * forwarding is switched on the kernel drops every default route learned with 1 (rt6_purge_dflt_routers). So
 * first, all that listen now are told to go on.
 */
function keepAdvertisements(tun: string, host: Host): WantedSysctl[] {
  const ours = new Set(entriesOf(host).map(({ key }) => key))
  const listens = (name: string) =>
    host.sysctls.get(`${IPV6}/${name}/accept_ra`) === '1' &&
    host.sysctls.get(`${IPV6}/${name}/forwarding`) === '0'
  const ports = new Set(host.links.flatMap(({ ifname, master }) => (master === undefined ? [] : [ifname])))
  return host.sysctls
    .interfaces6()
    .filter((name) => name !== 'lo' && name !== tun && !ports.has(name))
    .filter((name) => ours.has(`${IPV6}/${name}/accept_ra`) || listens(name))
    .map((name) => ({ key: `${IPV6}/${name}/accept_ra`, value: '2' }))
}

const entriesOf = (host: Host): readonly SysctlEntry[] =>
  [...host.journals.values()].flatMap(({ sysctls }) => sysctls)

/** The journal's entries for what must stand: what is there now is what is put back one day. */
export function wantedEntries(
  tun: string,
  wanted: readonly WantedSysctl[],
  host: Host,
): readonly SysctlEntry[] {
  const entries = new Map(host.journals.get(tun)?.sysctls.map((entry) => [entry.key, entry]))
  return wanted.flatMap(({ key, value, kept }) => {
    const live = host.sysctls.get(key)
    if (live === undefined) return []
    const entry = entries.get(key)
    const before = entry !== undefined && live === value ? entry.before : live
    return [{ key, before, value, ...(kept === undefined || kept.length === 0 ? {} : { kept }) }]
  })
}
