import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CAP_NET_ADMIN, hasCapability } from '../capabilities.ts'
import { type AcceptChain, readAcceptChains } from './accepts.ts'
import { type Command, outputOf, runCommand, tryCommand } from './command.ts'
import { type Journal, readJournals } from './journal.ts'
import { type NftObject, readTable } from './nft.ts'
import { numbersOf } from './numbers.ts'

/** The host as it is, as far as the set-up of one TUN can meet it. */
export interface Host {
  readonly links: readonly Link[]
  readonly addresses: readonly HostAddress[]
  /** The main tables of both families. */
  readonly routes: readonly Route[]
  /** The tables of both families that lead into the TUN. */
  readonly tunRoutes: readonly Route[]
  readonly rules: readonly Rule[]
  readonly proxies: readonly Proxy[]
  /** What the TUN's nft table holds; undefined when there is none. */
  readonly filter: readonly NftObject[] | undefined
  readonly acceptChains: readonly AcceptChain[]
  /** By the TUN's name. */
  readonly journals: ReadonlyMap<string, Journal>
  readonly sysctls: Sysctls
  readonly mayAdminister: boolean
}

/** `ip -j -d link`, what is used of it. */
export interface Link {
  readonly ifname: string
  readonly mtu: number
  readonly txqlen?: number
  readonly flags: readonly string[]
  readonly master?: string
  readonly link_type: string
  readonly ifalias?: string
  readonly group?: string
  readonly inet6_addr_gen_mode?: string
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> }
}

export interface HostAddress {
  readonly ifname: string
  /** As text, without its prefix length. */
  readonly local: string
  readonly prefixlen: number
}

/** `ip -j -N route`; `dst` is `default`, an address, or a prefix. */
export interface Route {
  readonly family: Family
  readonly dst: string
  readonly dev?: string
  readonly metric?: number
  readonly gateway?: string
  readonly via?: unknown
  readonly protocol?: string
  readonly nexthops?: readonly { readonly dev?: string }[]
}

/** `ip -j -N rule`. */
export interface Rule {
  readonly family: Family
  readonly priority: number
  readonly table?: string
  readonly protocol?: string
  readonly iif?: string
  readonly fwmark?: string
  readonly fwmask?: string
}

/** `ip -j -N neigh show proxy`. */
export interface Proxy {
  readonly dst: string
  readonly dev: string
  readonly protocol?: string
}

export type Family = 4 | 6

export interface Sysctls {
  /** Undefined when the kernel does not have it, or its interface is gone. */
  get(key: string): string | undefined
  /** Interfaces with IPv6, `all` and `default` left out. */
  interfaces6(): readonly string[]
}

/**
 * Reads all of it; throws OnehopError E_NETWORK when a program fails or is missing. Without CAP_NET_ADMIN nft
 * and iptables show nothing and are not asked, and the journals are not for everyone to read.
 */
export async function readHost(tun: string, runDir: string): Promise<Host> {
  const { table, nftTable } = numbersOf(tun)
  const mayAdminister = hasCapability(CAP_NET_ADMIN)
  const [links, addresses, routes, tunRoutes, rules, proxies, filter, acceptChains] = await Promise.all([
    ipJson<Link>('-d', 'link', 'show'),
    readAddresses(),
    readRoutes('main'),
    readRoutes(String(table)),
    readRules(),
    readProxies(),
    mayAdminister ? readTable(nftTable) : undefined,
    mayAdminister ? readAcceptChains() : [],
  ])
  return {
    links,
    addresses,
    routes,
    tunRoutes,
    rules,
    proxies,
    filter,
    acceptChains,
    journals: mayAdminister ? readJournals(runDir) : new Map(),
    sysctls: procSysctls,
    mayAdminister,
  }
}

const ipJson = async <T>(...args: string[]): Promise<readonly T[]> =>
  parse<T>(await runCommand({ argv: ['ip', '-j', '-N', ...args] }))

/** iproute2 prints nothing at all where a list is empty; its own JSON is taken at its word. */
const parse = <T>(text: string): readonly T[] => (text.trim() === '' ? [] : JSON.parse(text)) as readonly T[]

export async function readAddresses(): Promise<readonly HostAddress[]> {
  type Own = { readonly local?: string; readonly prefixlen: number }
  const links = await ipJson<{ ifname: string; addr_info: readonly Own[] }>('address', 'show')
  return links.flatMap(({ ifname, addr_info }) =>
    (addr_info ?? []).flatMap(({ local, prefixlen }) =>
      local === undefined ? [] : [{ ifname, local, prefixlen }],
    ),
  )
}

const bothFamilies = async <T>(read: (family: Family) => Promise<readonly T[]>) =>
  (await Promise.all([read(4), read(6)])).flat()

const readRoutes = (table: string): Promise<readonly Route[]> =>
  bothFamilies(async (family) => {
    const command: Command = { argv: ['ip', '-j', '-N', `-${family}`, 'route', 'show', 'table', table] }
    const result = await tryCommand(command)
    // A table is there as soon as it has a route.
    if (result.stderr.includes('FIB table does not exist')) return []
    return parse<Omit<Route, 'family'>>(outputOf(command, result)).map((route) => ({ family, ...route }))
  })

const readRules = (): Promise<readonly Rule[]> =>
  bothFamilies(async (family) =>
    (await ipJson<Omit<Rule, 'family'>>(`-${family}`, 'rule', 'show')).map((rule) => ({ family, ...rule })),
  )

const readProxies = (): Promise<readonly Proxy[]> =>
  bothFamilies((family) => ipJson<Proxy>(`-${family}`, 'neigh', 'show', 'proxy'))

const PROC_SYS = '/proc/sys'

const procSysctls: Sysctls = {
  get(key) {
    try {
      return readFileSync(join(PROC_SYS, key), 'utf8').trim()
    } catch {
      return undefined
    }
  },
  interfaces6() {
    try {
      const names = readdirSync(join(PROC_SYS, 'net/ipv6/conf'))
      return names.filter((name) => name !== 'all' && name !== 'default')
    } catch {
      return []
    }
  },
}
