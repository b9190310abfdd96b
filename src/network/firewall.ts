import { ACCEPT_CHAIN, DOCKERS_CHAIN } from './accepts.ts'
import { runCommand } from './command.ts'
import { legacyPrograms, readChain } from './iptables.ts'
import { type NftChain, readChains } from './nft.ts'

/** A chain that forwarded packets come through and whose policy is to drop them. */
export interface DroppingChain {
  /** `nft inet filter forward`, `iptables-legacy FORWARD` */
  readonly name: string
  /** Whether Docker has chains beside it: the set-up sees to the accepts. */
  readonly isDockers: boolean
  /** Whether rules accept what goes into this TUN and what comes out of it. */
  readonly accepts: boolean
  /** The commands that make it so. */
  readonly remedy: string
}

/** Every one of nft (iptables-nft's among them) and of the legacy iptables; throws where it may not look. */
export async function readDroppingChains(tun: string): Promise<readonly DroppingChain[]> {
  const chains = await readChains()
  const bases = chains.filter(({ family, hook, policy }) => {
    const isForIp = family === 'ip' || family === 'ip6' || family === 'inet'
    return isForIp && hook === 'forward' && policy === 'drop'
  })
  const found = [
    ...bases.map((base) => readNftChain(base, chains, tun)),
    ...legacyPrograms().map((program) => readLegacyChain(program, tun)),
  ]
  return (await Promise.all(found)).filter((chain) => chain !== undefined)
}

async function readNftChain(base: NftChain, all: readonly NftChain[], tun: string): Promise<DroppingChain> {
  const { family, table, name } = base
  const inTable = all.filter((chain) => chain.family === family && chain.table === table)
  const chains = [base, ...inTable.filter((chain) => chain.name === ACCEPT_CHAIN)]
  const rules = (await Promise.all(chains.map(readRules))).flat()
  const accepts = (key: string) => rules.some((rule) => isAccept(rule, key, tun))
  return {
    name: `nft ${family} ${table} ${name}`,
    isDockers: inTable.some(({ name }) => name === ACCEPT_CHAIN || name === DOCKERS_CHAIN),
    accepts: accepts('iifname') && accepts('oifname'),
    remedy: nftRemedy(base, all, tun),
  }
}

interface NftRule {
  readonly expr: readonly Readonly<Record<string, unknown>>[]
}

async function readRules({ family, table, name }: NftChain): Promise<readonly NftRule[]> {
  const text = await runCommand({ argv: ['nft', '-j', 'list', 'chain', family, table, name] })
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly { readonly rule?: NftRule }[] }
  return nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule]))
}

/** `iifname "onehop0" accept`, whatever counters and comments stand between. */
const isAccept = ({ expr }: NftRule, key: string, tun: string): boolean =>
  expr.some((part) => 'accept' in part) &&
  expr.some(({ match }) => {
    const { left, right } = (match ?? {}) as { left?: { meta?: { key?: string } }; right?: unknown }
    return left?.meta?.key === key && right === tun
  })

/** In the words of whatever keeps that chain. */
function nftRemedy({ family, table, name }: NftChain, all: readonly NftChain[], tun: string): string {
  const isUfws = all.some((chain) => chain.table === table && /^ufw6?-user-forward$/.test(chain.name))
  if (isUfws) return `ufw route allow in on ${tun}; ufw route allow out on ${tun}`
  if (table === 'filter' && name === 'FORWARD')
    return iptablesRemedy(family === 'ip6' ? 'ip6tables-nft' : 'iptables-nft', tun)
  return ['iifname', 'oifname']
    .map((key) => `nft insert rule ${family} ${table} ${name} ${key} ${tun} accept`)
    .join('; ')
}

const iptablesRemedy = (program: string, tun: string): string =>
  ['-i', '-o'].map((direction) => `${program} -I FORWARD ${direction} ${tun} -j ACCEPT`).join('; ')

async function readLegacyChain(program: string, tun: string): Promise<DroppingChain | undefined> {
  const lines = (await readChain(program, 'FORWARD')) ?? []
  if (!lines.includes('-P FORWARD DROP')) return undefined
  const dockers = await readChain(program, ACCEPT_CHAIN)
  const accepts = (direction: string) =>
    [...lines, ...(dockers ?? [])].some(
      (line) => line.includes(` ${direction} ${tun} `) && line.endsWith('-j ACCEPT'),
    )
  return {
    name: `${program} FORWARD`,
    isDockers: dockers !== undefined || (await readChain(program, DOCKERS_CHAIN)) !== undefined,
    accepts: accepts('-i') && accepts('-o'),
    remedy: iptablesRemedy(program, tun),
  }
}
