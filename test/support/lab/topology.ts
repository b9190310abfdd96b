import type { Namespace } from './namespace.ts'

/** A network of a lab. Number 1 in it is whoever stands nearest to the host, the gateway of the others. */
export interface Network {
  readonly at: (n: number) => string
  readonly at6: (n: number) => string
  readonly length: number
}

const UPLINK_NETWORK: Network = { at: (n) => `198.18.0.${n}`, at6: (n) => `2001:db8:18::${n}`, length: 24 }
const BRIDGE_NETWORK: Network = { at: (n) => `10.77.0.${n}`, at6: (n) => `fd77::${n}`, length: 16 }
/** Behind routers. */
const CLIENT_NETWORK: Network = { at: (n) => `198.18.1.${n}`, at6: (n) => `2001:db8:181::${n}`, length: 24 }
const CONTAINER_NETWORK: Network = { at: (n) => `10.78.0.${n}`, at6: (n) => `fd78::${n}`, length: 16 }

const CLIENT_PREFIXES = ['198.19.0.0/16', '2001:db8:19::/64']

/** Where clients and routers stand in a network. */
const SECOND = 2
const FIRST_CONTAINER = 11

/** A namespace, and the port of a bridge that leads to its eth0. */
export interface Plugged {
  readonly port: string
  readonly namespace: Namespace
}

export interface Routers {
  readonly client: Namespace | undefined
  readonly container: Namespace | undefined
}

export interface Topology {
  readonly client: Namespace
  readonly host: Namespace
  readonly containers: readonly Plugged[]
  readonly routers: Routers
  readonly uplink: string
  readonly bridge: string
  readonly rpFilter: number
  readonly mtu: { readonly host: number; readonly clients: number; readonly containers: number }
}

export function containerAddresses({ container }: Routers, index: number) {
  const { at, at6 } = container ? CONTAINER_NETWORK : BRIDGE_NETWORK
  return { address: at(FIRST_CONTAINER + index), address6: at6(FIRST_CONTAINER + index) }
}

/** From the middle to the ends: whoever makes a link puts its other end where it belongs. */
export async function connect(topology: Topology): Promise<void> {
  const { client, host, containers, routers } = topology
  await host.script(hostScript(topology))
  await routers.client?.script(clientRouterScript(topology))
  await routers.container?.script(containerRouterScript(topology))
  await Promise.all([
    client.script(clientScript(routers.client ? CLIENT_NETWORK : UPLINK_NETWORK)),
    ...containers.map(({ namespace }, i) =>
      namespace.script(containerScript(routers.container ? CONTAINER_NETWORK : BRIDGE_NETWORK, i)),
    ),
  ])
}

const hostScript = ({ client, containers, routers, uplink, bridge, rpFilter, mtu }: Topology): string => `
${FORWARD}
echo ${rpFilter} > /proc/sys/net/ipv4/conf/all/rp_filter
echo ${rpFilter} > /proc/sys/net/ipv4/conf/default/rp_filter
${batch(`
link add ${uplink} mtu ${mtu.host} type veth peer name eth0 mtu ${mtu.host} netns ${(routers.client ?? client).pid}
${gatewayLines(UPLINK_NETWORK, uplink)}
route add default via ${UPLINK_NETWORK.at(SECOND)}
route add default via ${UPLINK_NETWORK.at6(SECOND)}
${bridgeLines(bridge, BRIDGE_NETWORK, mtu.host, routers.container ? [plugged(routers.container)] : containers)}
${routers.container ? behindLines(prefixesOf(CONTAINER_NETWORK), BRIDGE_NETWORK) : ''}`)}`

const clientRouterScript = ({ client, bridge, mtu }: Topology): string =>
  FORWARD +
  batch(`
${endLines(UPLINK_NETWORK, SECOND)}
${bridgeLines(bridge, CLIENT_NETWORK, mtu.clients, [plugged(client)])}
${behindLines(CLIENT_PREFIXES, CLIENT_NETWORK)}`)

const containerRouterScript = ({ containers, bridge, mtu }: Topology): string =>
  FORWARD +
  batch(`
${endLines(BRIDGE_NETWORK, SECOND)}
${bridgeLines(bridge, CONTAINER_NETWORK, mtu.containers, containers)}`)

const clientScript = (network: Network): string => `
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
${batch(`
${endLines(network, SECOND)}
${CLIENT_PREFIXES.map((prefix) => `route add local ${prefix} dev lo`).join('\n')}`)}`

const containerScript = (network: Network, i: number): string => batch(endLines(network, FIRST_CONTAINER + i))

const FORWARD = `
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
`

const batch = (lines: string): string => `ip -batch - <<END\n${lines}\nEND\n`

const plugged = (namespace: Namespace): Plugged => ({ port: 'veth0', namespace })

const bridgeLines = (bridge: string, network: Network, mtu: number, ports: readonly Plugged[]): string => `
link add ${bridge} mtu ${mtu} type bridge
${gatewayLines(network, bridge)}
${ports
  .map(
    ({ port, namespace }) => `
link add ${port} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${namespace.pid}
link set ${port} master ${bridge} up`,
  )
  .join('')}`

const gatewayLines = ({ at, at6, length }: Network, name: string): string => `
addr add ${at(1)}/${length} dev ${name}
addr add ${at6(1)}/64 dev ${name}
link set ${name} up`

/** Behind a narrow link TCP still announces the segments of a wide one, so that the other end has to find out. */
const endLines = ({ at, at6, length }: Network, n: number): string => `
addr add ${at(n)}/${length} dev eth0
addr add ${at6(n)}/64 dev eth0
link set eth0 up
route add default via ${at(1)} advmss 1460
route add default via ${at6(1)} advmss 1440`

/** The way to what is behind the second in a network. */
const behindLines = (prefixes: readonly string[], { at, at6 }: Network): string =>
  prefixes.map((to) => `route add ${to} via ${to.includes(':') ? at6(SECOND) : at(SECOND)}`).join('\n')

const prefixesOf = ({ at, at6, length }: Network): readonly string[] => [`${at(0)}/${length}`, `${at6(0)}/64`]
