import { addAccept, removeAccept } from './accepts.ts'
import type { Command } from './command.ts'
import { filterScript } from './filter.ts'
import type { Host } from './host.ts'
import type { Journal, SysctlEntry } from './journal.ts'
import { numbersOf, TUN_ADDRESS } from './numbers.ts'
import type { Setup } from './setup.ts'

/** One change to the host. */
export type Step =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'sysctl'; readonly key: string; readonly value: string }
  /** The journal of a TUN as it reads from here on; undefined: gone. */
  | { readonly kind: 'journal'; readonly tun: string; readonly journal: Journal | undefined }

/**
 * The steps from one setup to another: the journal, then what is no longer wanted goes, last made first, then
 * what is missing comes, public routes last so that no packet comes before all stands. What stands as wanted
 * is not touched. Every step is a difference, so its undoing is the way back: steps(to, from).
 */
export function steps(tun: string, from: Setup, to: Setup, host: Host): readonly Step[] {
  const isEmptied = to.tun === undefined
  const removed = [
    ...ipBatch('neigh del proxy', minus(from.proxies, to.proxies)),
    ...ipBatch('route del', minus(from.routes, to.routes)),
    ...minus(from.accepts, to.accepts).map((accept) => command(removeAccept(tun, accept))),
    ...restoreSysctls(tun, from, to, host),
    ...ipBatch('rule del', minus(from.rules6, to.rules6), '-6'),
    ...ipBatch('rule del', minus(from.rules4, to.rules4)),
    ...ipBatch('route del', minus(from.tunRoutes, to.tunRoutes)),
    ...(isEmptied ? filterStep(tun, from, to) : []),
    ...(isEmptied && from.tun !== undefined ? ipBatch('link del', [`dev ${tun}`]) : []),
  ]
  const added = [
    ...tunSteps(tun, from, to),
    ...(isEmptied ? [] : filterStep(tun, from, to)),
    ...ipBatch('route add', minus(to.tunRoutes, from.tunRoutes)),
    ...ipBatch('rule add', minus(to.rules4, from.rules4)),
    ...ipBatch('rule add', minus(to.rules6, from.rules6), '-6'),
    ...applySysctls(to, host),
    ...minus(to.accepts, from.accepts).map((accept) => command(addAccept(tun, accept, host.acceptChains))),
    ...ipBatch('route add', minus(to.routes, from.routes)),
    ...ipBatch('neigh add proxy', minus(to.proxies, from.proxies)),
  ]
  return [...openJournal(tun, from, to, host), ...removed, ...added, ...closeJournal(tun, from, to, host)]
}

const command = (of: Command): Step => ({ kind: 'command', command: of })

const minus = (all: ReadonlySet<string>, some: ReadonlySet<string>): readonly string[] =>
  [...all].filter((item) => !some.has(item))

/** The objects in one run of ip, whatever their number. */
function ipBatch(verb: string, objects: readonly string[], ...options: readonly string[]): Step[] {
  if (objects.length === 0) return []
  const input = objects.map((object) => `${verb} ${object}\n`).join('')
  return [command({ argv: ['ip', ...options, '-batch', '-'], input })]
}

function tunSteps(tun: string, from: Setup, to: Setup): Step[] {
  if (to.tun === undefined) return []
  const lines = [
    ...(from.tun === undefined ? [`tuntap add dev ${tun} mode tun vnet_hdr multi_queue`] : []),
    ...(from.tun?.attributes === to.tun.attributes ? [] : [`link set dev ${tun} ${to.tun.attributes}`]),
    ...addressLines(tun, from.tun?.hasAddress ?? false, to.tun.hasAddress),
  ]
  const standing = new Set(from.tun?.sysctls.map(({ key }) => key))
  const missing = to.tun.sysctls.filter(({ key }) => !standing.has(key))
  const input = lines.map((line) => `${line}\n`).join('')
  return [
    ...(lines.length === 0 ? [] : [command({ argv: ['ip', '-batch', '-'], input })]),
    ...missing.map(({ key, value }): Step => ({ kind: 'sysctl', key, value })),
  ]
}

const addressLines = (tun: string, from: boolean, to: boolean): string[] =>
  from === to ? [] : [`address ${to ? 'add' : 'del'} ${TUN_ADDRESS}/32 dev ${tun} scope host`]

function filterStep(tun: string, from: Setup, to: Setup): Step[] {
  const script = filterScript(tun, numbersOf(tun), from.filter, to.filter)
  return script === undefined ? [] : [command({ argv: ['nft', '-f', '-'], input: script })]
}

/** Before the first change: both what stands and what will. */
function openJournal(tun: string, from: Setup, to: Setup, host: Host): Step[] {
  if (to.tun === undefined) return []
  const wanted = new Set(to.sysctls.map(({ key }) => key))
  const leaving = from.sysctls.filter(({ key }) => !wanted.has(key))
  return journalStep(tun, host.journals.get(tun), { sysctls: [...to.sysctls, ...leaving] })
}

/** After the last: only what stands. */
function closeJournal(tun: string, from: Setup, to: Setup, host: Host): Step[] {
  if (to.tun === undefined) return journalStep(tun, host.journals.get(tun), undefined)
  const isLeft = from.sysctls.some(({ key }) => !to.sysctls.some((entry) => entry.key === key))
  return isLeft ? [{ kind: 'journal', tun, journal: { sysctls: to.sysctls } }] : []
}

const journalStep = (tun: string, from: Journal | undefined, to: Journal | undefined): Step[] =>
  JSON.stringify(from?.sysctls) === JSON.stringify(to?.sysctls) ? [] : [{ kind: 'journal', tun, journal: to }]

const applySysctls = ({ sysctls }: Setup, host: Host): Step[] =>
  sysctls
    .filter(({ key, value }) => host.sysctls.get(key) !== value)
    .map(({ key, value }) => ({ kind: 'sysctl', key, value }))

/** Backwards, and only what nobody has changed meanwhile. What another TUN needs too becomes that one's to put back. */
function restoreSysctls(tun: string, from: Setup, to: Setup, host: Host): Step[] {
  const wanted = new Set(to.sysctls.map(({ key }) => key))
  const leaving = from.sysctls.filter(({ key }) => !wanted.has(key)).toReversed()
  const standing = leaving.filter(({ key, value }) => host.sysctls.get(key) === value)
  const heirs = [...host.journals].filter(([other]) => other !== tun)
  const isInherited = ({ key }: SysctlEntry) =>
    heirs.some(([, { sysctls }]) => sysctls.some((entry) => entry.key === key))
  return [
    ...heirs.flatMap(([heir, journal]) => bequeath(heir, journal, standing)),
    ...standing.filter((entry) => !isInherited(entry)).flatMap(restore),
  ]
}

function bequeath(heir: string, journal: Journal, entries: readonly SysctlEntry[]): Step[] {
  const left = new Map(entries.map((entry) => [entry.key, entry]))
  const sysctls = journal.sysctls.map((entry) => {
    const before = left.get(entry.key)?.before
    return before === undefined ? entry : { ...entry, before }
  })
  return journalStep(heir, journal, { sysctls })
}

const restore = ({ key, before, value, kept = [] }: SysctlEntry): Step[] =>
  before === value
    ? []
    : [{ kind: 'sysctl', key, value: before }, ...kept.map((key): Step => ({ kind: 'sysctl', key, value }))]
