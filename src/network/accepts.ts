import type { Command } from './command.ts'
import { legacyPrograms, readChain } from './iptables.ts'
import { readChains } from './nft.ts'

/**
 * Docker lets nothing be forwarded that it does not know (FORWARD's policy is DROP), and no other table can
 * overrule that; its own chain for that purpose is DOCKER-USER. Rules of ours stand there behind the
 * administrator's, before the RETURN that older Docker versions end it with.
 */
export const ACCEPT_CHAIN = 'DOCKER-USER'

/** DOCKER-USER as one of the iptables programs holds it. */
export interface AcceptChain {
  /** `iptables-nft`, `ip6tables-legacy` … */
  readonly program: string
  /** Its rules as `-S` prints them, without `-A DOCKER-USER`. */
  readonly rules: readonly string[]
}

/** Where the chain is. */
export async function readAcceptChains(): Promise<readonly AcceptChain[]> {
  const programs = [...(await nftPrograms()), ...legacyPrograms()]
  const chains = await Promise.all(programs.map(readAcceptChain))
  return chains.filter((chain) => chain !== undefined)
}

async function nftPrograms(): Promise<string[]> {
  const chains = await readChains()
  const has = (family: string) =>
    chains.some((c) => c.family === family && c.table === 'filter' && c.name === ACCEPT_CHAIN)
  return [...(has('ip') ? ['iptables-nft'] : []), ...(has('ip6') ? ['ip6tables-nft'] : [])]
}

async function readAcceptChain(program: string): Promise<AcceptChain | undefined> {
  const lines = await readChain(program, ACCEPT_CHAIN)
  const prefix = `-A ${ACCEPT_CHAIN} `
  const rules = lines?.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length))
  return rules === undefined ? undefined : { program, rules }
}

/** The accepts of this TUN that stand: `iptables-nft -i`. */
export function standingAccepts(tun: string, chains: readonly AcceptChain[]): ReadonlySet<string> {
  return new Set(
    chains.flatMap(({ program, rules }) =>
      rules
        .filter((rule) => rule.includes(`--comment "${comment(tun)}"`))
        .map((rule) => `${program} ${rule.includes(`-o ${tun} `) ? '-o' : '-i'}`),
    ),
  )
}

/** All that must stand: to the TUN and from it, wherever the chain is. */
export const wantedAccepts = (chains: readonly AcceptChain[]): ReadonlySet<string> =>
  new Set(chains.flatMap(({ program }) => [`${program} -i`, `${program} -o`]))

const comment = (tun: string): string => `onehop ${tun}`

export function addAccept(tun: string, accept: string, chains: readonly AcceptChain[]): Command {
  const [program, direction] = accept.split(' ') as [string, string]
  const rules = chains.find((chain) => chain.program === program)?.rules ?? []
  const ends = rules.indexOf('-j RETURN')
  const place = ends < 0 ? ['-A', ACCEPT_CHAIN] : ['-I', ACCEPT_CHAIN, String(ends + 1)]
  return { argv: [program, '-w', '5', ...place, ...match(tun, direction)] }
}

export function removeAccept(tun: string, accept: string): Command {
  const [program, direction] = accept.split(' ') as [string, string]
  return { argv: [program, '-w', '5', '-D', ACCEPT_CHAIN, ...match(tun, direction)] }
}

const match = (tun: string, direction: string): string[] => [
  direction,
  tun,
  ...['-m', 'comment', '--comment', comment(tun)],
  ...['-j', 'ACCEPT'],
]
