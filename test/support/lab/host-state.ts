import type { Namespace } from './namespace.ts'

/**
 * All that a network set-up could leave behind, as text to be compared: interfaces, addresses, routes, rules,
 * neighbours by hand, bridge and queueing settings, firewall rules of both kinds, sysctls. What changes by itself
 * (counters, neighbours learnt, conntrack) is not in it.
 */
export const hostState = (host: Namespace): Promise<string> =>
  host.script(`
exec 2>&1
ip address | sed 's/state [A-Z]* //; s/<[A-Z,_-]*>//'
for family in -4 -6; do
  ip $family rule
  ip $family route show table all
  ip $family neighbour show proxy
  ip $family neighbour show nud permanent
done
bridge vlan
bridge fdb show | grep permanent
ip -details tuntap
tc qdisc
nft --stateless list ruleset
iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'
ip6tables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'
grep -rs . /proc/sys/net/ipv4 /proc/sys/net/ipv6 /proc/sys/net/core | sort || true
`)
