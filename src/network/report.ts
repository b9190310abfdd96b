import type { Host } from './host.ts'
import { MARK_MASK, numbersOf, ROUTE_PROTOCOL, TUN_ADDRESS } from './numbers.ts'
import type { Setup, TunSetup } from './setup.ts'

export interface NetworkReport {
  readonly tun: string
  readonly numbers: {
    readonly preference: number
    readonly table: number
    readonly mark: string
    readonly protocol: number
    readonly nftTable: string
  }
  /** In the order in which they are made; empty parts too. */
  readonly parts: readonly ReportPart[]
}

export interface ReportPart {
  /** `tun`, `nft`, `rules` … */
  readonly part: string
  readonly standing: readonly string[]
  /** Wanted but not there. Empty without an intent. */
  readonly missing: readonly string[]
  /** There but not wanted. Empty without an intent. */
  readonly surplus: readonly string[]
}

/** Compares what stands with what must stand; `wanted` undefined: there is nothing to compare with. */
export function reportSetup(
  tun: string,
  standing: Setup,
  wanted: Setup | undefined,
  host: Host,
): NetworkReport {
  const { preference, table, mark, nftTable } = numbersOf(tun)
  const hex = (value: number) => `0x${value.toString(16)}`
  const wantedParts = wanted === undefined ? undefined : describe(tun, wanted)
  return {
    tun,
    numbers: {
      preference,
      table,
      mark: `${hex(mark)}/${hex(MARK_MASK)}`,
      protocol: ROUTE_PROTOCOL,
      nftTable,
    },
    parts: Object.entries(describe(tun, standing, host)).map(([part, items]) => {
      const expected = wantedParts?.[part] ?? items
      const without = (all: readonly string[], some: readonly string[]) => {
        const others = new Set(some)
        return all.filter((item) => !others.has(item))
      }
      return { part, standing: items, missing: without(expected, items), surplus: without(items, expected) }
    }),
  }
}

/** `live`: count of the sysctls only those that have their value. */
function describe(tun: string, setup: Setup, live?: Host): Readonly<Record<string, readonly string[]>> {
  const { filter } = setup
  const sysctls = [...(setup.tun?.sysctls ?? []), ...setup.sysctls]
  return {
    tun: describeTun(tun, setup.tun),
    nft: filter === undefined ? [] : [...describeSets(filter.sets), ...filter.rules],
    rules: [
      ...[...setup.rules4].map((rule) => `-4 ${rule}`),
      ...[...setup.rules6].map((rule) => `-6 ${rule}`),
      ...setup.tunRoutes,
    ],
    sysctls: sysctls
      .filter(({ key, value }) => live === undefined || live.sysctls.get(key) === value)
      .map(({ key, value }) => `${key} = ${value}`),
    accepts: [...setup.accepts],
    routes: [...setup.routes],
    proxies: [...setup.proxies],
  }
}

const describeTun = (tun: string, setup: TunSetup | undefined): string[] =>
  setup === undefined
    ? []
    : [`${tun} ${setup.attributes}`, ...(setup.hasAddress ? [`${tun} ${TUN_ADDRESS}/32`] : [])]

const describeSets = (sets: ReadonlyMap<string, ReadonlySet<string>>): string[] =>
  [...sets].flatMap(([name, elements]) => [...elements].map((element) => `${name}: ${element}`))
