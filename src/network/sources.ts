import { covers, formatPrefix, isAddress4, maskAddress, type Prefix } from '../address.ts'
import { parseAddress, parsePrefix, unusableKind } from '../config/address.ts'
import { aliasOf, aliasProblems } from '../config/hairpin.ts'
import type { Host, HostAddress } from './host.ts'
import type { NetworkIntent } from './intent.ts'
import { ROUTE_PROTOCOL } from './numbers.ts'

/**
 * Who is local, for the hairpin: those whose answers from a container would not come back through the TUN. On a bridge's own
 * network they take the short way, and what is for one of the host's addresses ends in the host.
 */
export function localSources(
  { hairpin, tun, bridges }: Pick<NetworkIntent, 'hairpin' | 'tun' | 'bridges'>,
  addresses: readonly HostAddress[],
): readonly Prefix[] {
  if (hairpin === undefined) return []
  return (
    hairpin.sources ??
    addresses.filter(({ ifname }) => ifname !== tun).flatMap((own) => sourcesOf(own, bridges))
  )
}

function sourcesOf({ ifname, local, prefixlen }: HostAddress, bridges: readonly string[]): readonly Prefix[] {
  const address = parseAddress(local)
  if (address === undefined || unusableKind(address) !== undefined) return []
  const length = bridges.includes(ifname) ? prefixlen : isAddress4(address) ? 32 : 128
  return [{ address: maskAddress(address, length), length }]
}

/** What keeps a hairpin from working on this host, each with what was expected. */
export function hairpinConflicts(intent: NetworkIntent, host: Host): readonly string[] {
  const { hairpin } = intent
  if (hairpin === undefined) return []
  const problems = aliasProblems(hairpin, localSources(intent, host.addresses))
  return [...problems.map(({ message }) => message), ...routedElsewhere(intent, host)]
}

/** A route into the alias prefix or a part of it. Another TUN of ours may share it: marks tell their answers apart. */
function routedElsewhere(intent: NetworkIntent, host: Host): readonly string[] {
  return host.routes.flatMap(({ dst, dev, protocol }) => {
    const prefix = parsePrefix(dst)
    if (prefix === undefined || protocol === String(ROUTE_PROTOCOL)) return []
    const alias = aliasOf(intent.hairpin!, prefix)
    if (prefix.length < alias.length || !covers(alias, prefix.address)) return []
    return [
      `${dst} is routed elsewhere (dev ${dev ?? 'none'}), within ${alias.key} ${formatPrefix(alias)}; expected an alias prefix that nobody uses, or hairpin: off`,
    ]
  })
}
