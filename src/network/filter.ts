import { type Address, formatAddress, isAddress4 } from '../address.ts'
import { parseAddress } from '../config/address.ts'
import type { NetworkIntent } from './intent.ts'
import type { NftObject, NftSet } from './nft.ts'
import { MARK_MASK, TUN_GROUP, type TunNumbers } from './numbers.ts'
import {
  ERRORS_ABOUT_REQUESTS,
  ERRORS_ABOUT_REQUESTS6,
  ERRORS4,
  ERRORS6,
  isQuotedSet,
  QUOTED_SETS,
  quotedElement,
  quotedWord,
} from './quoted.ts'

/**
 * The nft table. Before connection tracking sees a packet (priority raw), it tells which packets are a
 * service's: those are not tracked, so nothing fills up, no NAT rule of the host applies to them and none of
 * them is "invalid". What containers answer, and ICMP errors about requests, get the mark that the routing rule sends
 * into the TUN by. A hundred thousand endpoints cost one set lookup.
 */
export interface Filter {
  /** By set name, elements as nft writes them. */
  readonly sets: ReadonlyMap<string, ReadonlySet<string>>
  /** The comments of its rules, chain by chain in order: they name the rules. */
  readonly rules: readonly string[]
}

const ADDRESS_AND_PORT = 'inet_proto . inet_service'
const IFNAME = 'type ifname'

const SET_TYPES = {
  bridges: IFNAME,
  uplinks: IFNAME,
  public4: 'type ipv4_addr',
  public6: 'type ipv6_addr',
  endpoints4: `type ipv4_addr . ${ADDRESS_AND_PORT}`,
  endpoints6: `type ipv6_addr . ${ADDRESS_AND_PORT}`,
  whole4: 'type ipv4_addr',
  whole6: 'type ipv6_addr',
  containers4: 'type ipv4_addr',
  containers6: 'type ipv6_addr',
  ...QUOTED_SETS,
} as const

/** A chain without rules: its name tells that the table is ours. */
const OWN_CHAIN = 'made_by_onehop'

interface FilterRule {
  readonly comment: string
  readonly rule: string
}

/** The chains that packets come to by themselves. Before connection tracking, but for the last, which tracks nothing. */
const HOOKS: Readonly<Record<string, string>> = {
  prerouting: '{ type filter hook prerouting priority raw; policy accept; }',
  output: '{ type route hook output priority raw; policy accept; }',
  forward: '{ type filter hook forward priority filter; policy accept; }',
}

/** In the order a packet meets them. What these accept goes on to the next table. */
function chains(tun: string, mark: number): Readonly<Record<string, readonly FilterRule[]>> {
  const others = hex(~MARK_MASK >>> 0)
  const intoTun = {
    comment: 'into the TUN',
    rule: `meta mark set meta mark & ${others} | ${hex(mark)} notrack`,
  }
  return {
    prerouting: [
      { comment: 'from the TUN', rule: `iifname "${tun}" goto emitted` },
      { comment: 'requests', rule: 'ip daddr @public4 notrack accept' },
      { comment: 'requests, IPv6', rule: 'ip6 daddr @public6 notrack accept' },
      { comment: 'from containers', rule: 'iifname @bridges goto container' },
    ],
    container: [
      {
        comment: 'answers from an endpoint',
        rule: 'ip saddr . meta l4proto . th sport @endpoints4 goto answer',
      },
      {
        comment: 'answers from an endpoint, IPv6',
        rule: 'ip6 saddr . meta l4proto . th sport @endpoints6 goto answer',
      },
      { comment: 'answers from a whole container', rule: 'ip saddr @whole4 goto answer' },
      { comment: 'answers from a whole container, IPv6', rule: 'ip6 saddr @whole6 goto answer' },
      // Later ones have no ports. Each first one goes with them, so that the data plane knows whose they are. Only seen
      // where nothing reassembles: connection tracking does so before this.
      { comment: 'fragments', rule: 'ip saddr @containers4 ip frag-off & 0x3fff != 0 goto answer' },
      { comment: 'fragments, IPv6', rule: 'ip6 saddr @containers6 exthdr frag exists goto answer' },
      { comment: 'echo replies', rule: 'ip saddr @containers4 icmp type echo-reply goto answer' },
      { comment: 'echo replies, IPv6', rule: 'ip6 saddr @containers6 icmpv6 type echo-reply goto answer' },
      // A container's own, and those of routers between it and its bridge.
      { comment: 'errors about requests', rule: `${ERRORS_ABOUT_REQUESTS} goto answer` },
      { comment: 'errors about requests, IPv6', rule: `${ERRORS_ABOUT_REQUESTS6} goto answer` },
    ],
    answer: [
      // The host's own connections to containers end here.
      { comment: 'not for the host or a group', rule: 'fib daddr type != unicast return' },
      // br_netfilter shows what one container sends another on its bridge; where the bridge is the way to
      // the clients too, an answer may go back into it.
      {
        comment: 'not for a neighbour on the bridge',
        rule: 'iifname != @uplinks fib daddr . iif oif exists return',
      },
      intoTun,
    ],
    // The host's own errors: about answers that it could not forward, and about requests that came out of the TUN.
    output: [
      { comment: 'nothing else', rule: 'meta l4proto != { icmp, ipv6-icmp } accept' },
      { comment: 'errors about answers', rule: `ip daddr @public4 icmp type { ${ERRORS4} } notrack accept` },
      {
        comment: 'errors about answers, IPv6',
        rule: `ip6 daddr @public6 icmpv6 type { ${ERRORS6} } notrack accept`,
      },
      { comment: 'errors about requests', rule: `${ERRORS_ABOUT_REQUESTS} goto error` },
      { comment: 'errors about requests, IPv6', rule: `${ERRORS_ABOUT_REQUESTS6} goto error` },
    ],
    error: [{ comment: 'not for the host or a group', rule: 'fib daddr type != unicast return' }, intoTun],
    // What was rewritten leaves the TUN with the hop that it cost to get in. Two TUNs that lead into each other, or one
    // into itself, would pass it on for ever.
    forward: [{ comment: 'from TUN to TUN', rule: `iifname "${tun}" oifgroup ${TUN_GROUP} drop` }],
    // What comes back unchanged is tracked as if it had never been in the TUN: it may be the answer to a
    // connection that the host's NAT made.
    emitted: [
      // They end the host's own calls, which its connection tracking has seen leave; a firewall wants to know them again.
      { comment: 'answers to the host', rule: 'ip saddr @public4 fib daddr type local accept' },
      { comment: 'answers to the host, IPv6', rule: 'ip6 saddr @public6 fib daddr type local accept' },
      { comment: 'answers, rewritten', rule: 'ip saddr @public4 notrack accept' },
      { comment: 'answers, rewritten, IPv6', rule: 'ip6 saddr @public6 notrack accept' },
      {
        comment: 'requests to an endpoint',
        rule: 'ip daddr . meta l4proto . th dport @endpoints4 notrack accept',
      },
      {
        comment: 'requests to an endpoint, IPv6',
        rule: 'ip6 daddr . meta l4proto . th dport @endpoints6 notrack accept',
      },
      { comment: 'requests to a whole container', rule: 'ip daddr @whole4 notrack accept' },
      { comment: 'requests to a whole container, IPv6', rule: 'ip6 daddr @whole6 notrack accept' },
      { comment: 'errors', rule: `ip daddr @containers4 icmp type { ${ERRORS4} } notrack` },
      { comment: 'errors, IPv6', rule: `ip6 daddr @containers6 icmpv6 type { ${ERRORS6} } notrack` },
    ],
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** The table that must stand. */
export function wantedFilter(intent: NetworkIntent, uplinks: readonly string[]): Filter {
  const names = (list: readonly string[]) => new Set(list.map((name) => `"${name}"`))
  const of = (family: 4 | 6, addresses: readonly Address[], format = formatAddress) =>
    new Set(addresses.filter((a) => isAddress4(a) === (family === 4)).map(format))
  const endpoints = (family: 4 | 6) =>
    new Set(
      intent.endpoints
        .filter(({ address }) => isAddress4(address) === (family === 4))
        .map(({ address, protocol, port }) => `${formatAddress(address)} . ${protocol} . ${port}`),
    )
  const sets: Record<keyof typeof SET_TYPES, ReadonlySet<string>> = {
    bridges: names(intent.bridges),
    uplinks: names(uplinks),
    public4: of(4, intent.publicAddresses),
    public6: of(6, intent.publicAddresses),
    endpoints4: endpoints(4),
    endpoints6: endpoints(6),
    whole4: of(4, intent.wholeContainers),
    whole6: of(6, intent.wholeContainers),
    containers4: of(4, intent.containers),
    containers6: of(6, intent.containers),
    quoted4: of(4, intent.containers, quotedElement),
    quoted6: of(6, intent.containers, quotedElement),
  }
  return { sets: new Map(Object.entries(sets)), rules: ruleNames(chains(intent.tun, 0)) }
}

const ruleNames = (all: Readonly<Record<string, readonly FilterRule[]>>): readonly string[] =>
  Object.entries(all).flatMap(([chain, rules]) => rules.map(({ comment }) => `${chain}: ${comment}`))

/** Whether a table that has our table's name was made by onehop. */
export const isOwnTable = (objects: readonly NftObject[]): boolean =>
  objects.some(({ chain }) => chain?.name === OWN_CHAIN)

/** What stands of it, from nft's JSON. */
export function standingFilter(objects: readonly NftObject[]): Filter {
  const sets = objects.flatMap(({ set }) =>
    set === undefined ? [] : [[set.name, standingElements(set)] as const],
  )
  const rules = objects.flatMap(({ rule }) =>
    rule === undefined ? [] : [`${rule.chain}: ${rule.comment ?? ''}`],
  )
  return { sets: new Map(sets), rules }
}

/** Elements are texts or `{concat: ["10.0.0.1", "tcp", 80]}`; here as this file writes them. */
function standingElements({ name, elem = [] }: NftSet): ReadonlySet<string> {
  if (SET_TYPES[name as keyof typeof SET_TYPES] === IFNAME)
    return new Set(elem.map((element) => `"${element}"`))
  const parts = (element: unknown) => (isConcat(element) ? element.concat : [element])
  const format = isQuotedSet(name) ? quotedWord : formatPart
  return new Set(elem.map((element) => parts(element).map(format).join(' . ')))
}

const isConcat = (element: unknown): element is { readonly concat: readonly unknown[] } =>
  typeof element === 'object' && element !== null && 'concat' in element

/** nft writes some IPv6 addresses with dotted quads. */
function formatPart(part: unknown): string {
  const text = String(part)
  const address = parseAddress(text)
  return address === undefined ? text : formatAddress(address)
}

/** One nft transaction from what stands to what must stand; undefined when they are the same. */
export function filterScript(
  tun: string,
  { nftTable, mark }: TunNumbers,
  from: Filter | undefined,
  to: Filter | undefined,
): string | undefined {
  const table = `inet ${nftTable}`
  if (to === undefined) return from === undefined ? undefined : `delete table ${table}\n`
  const isSame = from !== undefined && hasSameShape(from, to)
  const lines = isSame ? [] : [...renew(table, from), ...shapeLines(table, tun, mark)]
  lines.push(...elementLines(table, isSame ? from.sets : new Map(), to.sets))
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`
}

const hasSameShape = (a: Filter, b: Filter): boolean =>
  [...a.sets.keys()].sort().join() === [...b.sets.keys()].sort().join() &&
  [...a.rules].sort().join() === [...b.rules].sort().join()

const renew = (table: string, from: Filter | undefined): string[] =>
  from === undefined ? [`add table ${table}`] : [`delete table ${table}`, `add table ${table}`]

function shapeLines(table: string, tun: string, mark: number): string[] {
  const all = Object.entries(chains(tun, mark))
  return [
    ...Object.entries(SET_TYPES).map(([name, type]) => `add set ${table} ${name} { ${type}; }`),
    `add chain ${table} ${OWN_CHAIN}`,
    ...all.map(([name]) => `add chain ${table} ${name} ${HOOKS[name] ?? ''}`.trimEnd()),
    ...all.flatMap(([name, rules]) =>
      rules.map(({ rule, comment }) => `add rule ${table} ${name} ${rule} comment "${comment}"`),
    ),
  ]
}

type Sets = Filter['sets']

const elementLines = (table: string, from: Sets, to: Sets): string[] =>
  [...to].flatMap(([name, wanted]) => {
    const standing = from.get(name) ?? new Set()
    const line = (verb: string, elements: readonly string[]) =>
      elements.length === 0 ? [] : [`${verb} element ${table} ${name} { ${elements.join(', ')} }`]
    return [
      ...line(
        'delete',
        [...standing].filter((element) => !wanted.has(element)),
      ),
      ...line(
        'add',
        [...wanted].filter((element) => !standing.has(element)),
      ),
    ]
  })
