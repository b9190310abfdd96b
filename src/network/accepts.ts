import type { Command } from './command.ts'
import { legacyPrograms, readChain, type Table } from './iptables.ts'
import { type NftChain, readChains } from './nft.ts'

/**
 * Docker lets nothing be forwarded that it does not know (FORWARD's policy is DROP), and no other table can
 * overrule that; its own chain for that purpose is DOCKER-USER. Rules of ours stand there behind the
 * administrator's, before the RETURN that older Docker versions end it with. Where Docker made the policy and no such chain
 * (IPv6 up to version 26), they stand in FORWARD itself.
 */
export const ACCEPT_CHAIN = 'DOCKER-USER'
const FORWARD = 'FORWARD'
export const DOCKERS_CHAIN = 'DOCKER'

/**
 * From version 28 on, Docker drops here what is for a container and does not come from its bridge; a request that is written
 * back into the TUN would be.
 */
const RAW_CHAIN = 'PREROUTING'
const DIRECT_DROP = /^-d \S+ ! -i \S+ .*-j DROP$/

/** A chain that has to accept what goes into the TUN or comes out of it, as one of the iptables programs holds it. */
export interface AcceptChain {
  /** `iptables-nft`, `ip6tables-legacy` … */
  readonly program: string
  readonly table: Table
  readonly chain: string
  /** Its rules as `-S` prints them, without `-A CHAIN`. */
  readonly rules: readonly string[]
}

/** Where they are. */
export async function readAcceptChains(): Promise<readonly AcceptChain[]> {
  const all = await readChains()
  const chains = await Promise.all([
    ...NFT_PROGRAMS.flatMap((program) => nftChains(program, all)),
    ...legacyPrograms().map(readLegacyForward),
    ...legacyPrograms('raw').map((program) => readRules(program, 'raw', RAW_CHAIN)),
  ])
  return chains.filter((chain) => chain !== undefined)
}

const NFT_PROGRAMS = [
  { program: 'iptables-nft', family: 'ip' },
  { program: 'ip6tables-nft', family: 'ip6' },
] as const

/** nft knows what there is; to list what is not, is to create it, or an error that says something else. */
function nftChains(
  { program, family }: (typeof NFT_PROGRAMS)[number],
  all: readonly NftChain[],
): Promise<AcceptChain | undefined>[] {
  const has = (table: Table, name: string) =>
    all.some((chain) => chain.family === family && chain.table === table && chain.name === name)
  const forward = has('filter', ACCEPT_CHAIN)
    ? ACCEPT_CHAIN
    : has('filter', DOCKERS_CHAIN)
      ? FORWARD
      : undefined
  return [
    ...(forward === undefined ? [] : [readRules(program, 'filter', forward)]),
    ...(has('raw', RAW_CHAIN) ? [readRules(program, 'raw', RAW_CHAIN)] : []),
  ]
}

async function readLegacyForward(program: string): Promise<AcceptChain | undefined> {
  const own = await readRules(program, 'filter', ACCEPT_CHAIN)
  if (own !== undefined) return own
  const isThere = (await readRules(program, 'filter', DOCKERS_CHAIN)) !== undefined
  return isThere ? await readRules(program, 'filter', FORWARD) : undefined
}

async function readRules(program: string, table: Table, chain: string): Promise<AcceptChain | undefined> {
  const lines = await readChain(program, chain, table)
  const prefix = `-A ${chain} `
  const rules = lines?.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length))
  return rules === undefined ? undefined : { program, table, chain, rules }
}

/** The accepts of this TUN that stand: `iptables-nft filter DOCKER-USER -i`. */
export function standingAccepts(tun: string, chains: readonly AcceptChain[]): ReadonlySet<string> {
  return new Set(
    chains.flatMap((chain) =>
      chain.rules
        .filter((rule) => rule.includes(`--comment "${comment(tun)}"`))
        .map((rule) => acceptText(chain, rule.includes(`-o ${tun} `) ? '-o' : '-i')),
    ),
  )
}

/** All that must stand: to the TUN and from it, wherever something would be dropped. */
export const wantedAccepts = (chains: readonly AcceptChain[]): ReadonlySet<string> =>
  new Set(
    chains.flatMap((chain) => {
      if (chain.table === 'filter') return [acceptText(chain, '-i'), acceptText(chain, '-o')]
      return chain.rules.some((rule) => DIRECT_DROP.test(rule)) ? [acceptText(chain, '-i')] : []
    }),
  )

const acceptText = ({ program, table, chain }: AcceptChain, direction: '-i' | '-o'): string =>
  `${program} ${table} ${chain} ${direction}`

const comment = (tun: string): string => `onehop ${tun}`

type Words = [program: string, table: string, chain: string, direction: string]

export function addAccept(tun: string, accept: string, chains: readonly AcceptChain[]): Command {
  const [program, table, chain, direction] = accept.split(' ') as Words
  const rules = chains.find((one) => acceptText(one, '-i') === `${program} ${table} ${chain} -i`)?.rules ?? []
  return { argv: [program, '-w', '5', '-t', table, ...placeIn(chain, rules), ...match(tun, direction)] }
}

/** Of the raw table's drops, whichever comes first is the end. */
function placeIn(chain: string, rules: readonly string[]): string[] {
  if (chain === RAW_CHAIN) return ['-I', chain, '1']
  const ends = chain === ACCEPT_CHAIN ? rules.indexOf('-j RETURN') : -1
  return ends < 0 ? ['-A', chain] : ['-I', chain, String(ends + 1)]
}

export function removeAccept(tun: string, accept: string): Command {
  const [program, table, chain, direction] = accept.split(' ') as Words
  return { argv: [program, '-w', '5', '-t', table, '-D', chain, ...match(tun, direction)] }
}

const match = (tun: string, direction: string): string[] => [
  direction,
  tun,
  ...['-m', 'comment', '--comment', comment(tun)],
  ...['-j', 'ACCEPT'],
]
