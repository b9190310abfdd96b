import { findConflicts } from './conflicts.ts'
import { type DroppingChain, readDroppingChains } from './firewall.ts'
import { type Host, readHost } from './host.ts'
import type { NetworkIntent } from './intent.ts'
import { reportSetup } from './report.ts'
import { resolveUplinks, standingSetup, wantedSetup } from './setup.ts'

/** One need of the network, and whether it is met. */
export interface Finding {
  readonly need: string
  /** `note`: worth knowing, nothing to mend. `unknown`: not to be seen without privileges or a config. */
  readonly state: 'ok' | 'note' | 'problem' | 'unknown'
  readonly found: string
  readonly remedy?: string
}

/** Looks at the host with the eyes of a set-up for this TUN, and of this intent when there is one. Changes nothing. */
export async function findNetwork(
  tun: string,
  runDir: string,
  intent: NetworkIntent | undefined,
): Promise<readonly Finding[]> {
  const host = await readHost(tun, runDir)
  const isUp = standingSetup(tun, host).tun !== undefined
  return [
    ...(intent === undefined ? [NO_INTENT] : intentFindings(intent, host)),
    ...setupFindings(tun, intent, host),
    ...reversePathFindings(tun, intent, host),
    ...bridgeFilterFindings(host),
    ...(host.mayAdminister ? await forwardFindings(tun, isUp) : [UNSEEN]),
  ]
}

const NO_INTENT: Finding = {
  need: 'config',
  state: 'unknown',
  found: 'none given, so bridges, uplinks, addresses and what may be missing were not looked at',
  remedy: 'onehop doctor --config FILE',
}

const UNSEEN: Finding = {
  need: 'firewall',
  state: 'unknown',
  found: 'nft and iptables show nothing without CAP_NET_ADMIN',
  remedy: 'run this as root',
}

function intentFindings(intent: NetworkIntent, host: Host): Finding[] {
  const conflicts = findConflicts(intent, host)
  if (conflicts.length > 0)
    return conflicts.map((conflict) => {
      const [found, remedy] = conflict.split('; expected ', 2) as [string, string | undefined]
      return {
        need: 'config fits host',
        state: 'problem',
        found,
        ...(remedy === undefined ? {} : { remedy: `expected ${remedy}` }),
      }
    })
  const interfaces = new Set([...intent.bridges, ...resolveUplinks(intent, host)])
  return [
    {
      need: 'config fits host',
      state: 'ok',
      found: 'interfaces exist, addresses, routes and rules are free',
    },
    ...[...interfaces].map((name) => linkFinding(name, host)),
  ]
}

function linkFinding(name: string, host: Host): Finding {
  const flags = host.links.find(({ ifname }) => ifname === name)?.flags ?? []
  if (!flags.includes('UP'))
    return { need: `link ${name}`, state: 'problem', found: 'down', remedy: `ip link set dev ${name} up` }
  return flags.includes('LOWER_UP')
    ? { need: `link ${name}`, state: 'ok', found: 'up' }
    : { need: `link ${name}`, state: 'problem', found: 'up, without a carrier', remedy: 'connect it' }
}

const MOST_NAMED = 3

/** Covers forwarding sysctls, routes, rules, the nft table and Docker's accepts: all that routes up makes. */
function setupFindings(tun: string, intent: NetworkIntent | undefined, host: Host): Finding[] {
  const standing = standingSetup(tun, host)
  if (standing.tun === undefined)
    return [{ need: 'set-up', state: 'note', found: `none for ${tun} yet; run and routes up make it` }]
  if (intent === undefined) return [{ need: 'set-up', state: 'ok', found: `stands for ${tun}` }]
  const { parts } = reportSetup(tun, standing, wantedSetup(intent, host), host)
  const differences = parts.flatMap(({ missing, surplus }) => [
    ...missing.map((item) => `no ${item}`),
    ...surplus.map((item) => `not wanted: ${item}`),
  ])
  if (differences.length === 0) return [{ need: 'set-up', state: 'ok', found: `complete for ${tun}` }]
  const rest = differences.length - MOST_NAMED
  const found = differences.slice(0, MOST_NAMED).join('; ') + (rest > 0 ? `; and ${rest} more` : '')
  return [{ need: 'set-up', state: 'problem', found, remedy: 'onehop routes up' }]
}

const FILTER_WORDS: Readonly<Record<string, string>> = { 0: 'off', 1: 'strict', 2: 'loose' }

/** The larger of `all` and the interface's own counts (ip-sysctl). Strict on the TUN drops what it emits. */
function reversePathFindings(tun: string, intent: NetworkIntent | undefined, host: Host): Finding[] {
  const names = [tun, ...(intent === undefined ? [] : resolveUplinks(intent, host))]
  return names.flatMap((name): Finding[] => {
    const values = ['all', name].map((of) => host.sysctls.get(`net/ipv4/conf/${of}/rp_filter`))
    if (values.includes(undefined)) return []
    const effective = Math.max(...values.map(Number))
    const need = `rp_filter ${name}`
    const found = FILTER_WORDS[effective] ?? String(effective)
    if (name === tun && effective === 1)
      return [{ need, state: 'problem', found, remedy: `sysctl -w net/ipv4/conf/${tun}/rp_filter=2` }]
    if (effective === 1 && names.length > 2)
      return [
        {
          need,
          state: 'note',
          found: `${found}: with several uplinks, clients may come by one and be routed by another`,
        },
      ]
    return [{ need, state: 'ok', found }]
  })
}

/** Host policy: reported, never changed. */
function bridgeFilterFindings(host: Host): Finding[] {
  const value = host.sysctls.get('net/bridge/bridge-nf-call-iptables')
  const need = 'bridge-nf-call-iptables'
  if (value === undefined || value === '0') return [{ need, state: 'ok', found: 'off' }]
  const found = 'on: bridged packets pass iptables too, which costs throughput; Kubernetes needs it'
  return [{ need, state: 'note', found }]
}

async function forwardFindings(tun: string, isUp: boolean): Promise<Finding[]> {
  const chains = await readDroppingChains(tun)
  if (chains.length === 0)
    return [{ need: 'firewall', state: 'ok', found: 'no forward chain drops by policy' }]
  return chains.map((chain) => forwardFinding(chain, tun, isUp))
}

function forwardFinding(
  { name, isDockers, accepts, remedy }: DroppingChain,
  tun: string,
  isUp: boolean,
): Finding {
  const need = 'firewall'
  if (accepts) return { need, state: 'ok', found: `${name} drops by policy but accepts ${tun}` }
  const found = `${name} drops by policy and does not accept ${tun}`
  if (!isDockers) return { need, state: 'problem', found, remedy }
  return isUp
    ? { need, state: 'problem', found, remedy: 'onehop routes up' }
    : {
        need,
        state: 'note',
        found: `${name} drops by policy; routes up will put accepts into Docker's chain`,
      }
}
