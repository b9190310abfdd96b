import { type Address, isAddress4 } from '../address.ts'
import {
  type Config,
  type ContainerConfig,
  type HairpinConfig,
  type Protocol,
  protocolsOf,
  type ServiceConfig,
} from '../config/config.ts'

/** What the network set-up must make stand for a config: nothing in it depends on the host. */
export interface NetworkIntent {
  readonly tun: string
  readonly bridges: readonly string[]
  /** Empty: the interfaces of the default routes. */
  readonly uplinks: readonly string[]
  /** What is routed into the TUN; each once. */
  readonly publicAddresses: readonly Address[]
  /** Undefined: off. */
  readonly hairpin: HairpinConfig | undefined
  /** Where containers answer from, each once. */
  readonly endpoints: readonly Endpoint[]
  /** Addresses of containers that serve `all`: every protocol and port of theirs may be an answer. */
  readonly wholeContainers: readonly Address[]
  /** Addresses of all containers of the services, those that serve `all` included. */
  readonly containers: readonly Address[]
}

export interface Endpoint {
  readonly address: Address
  readonly protocol: Protocol
  readonly port: number
}

export function networkIntent(config: Config): NetworkIntent {
  const { interfaces, services } = config
  const whole = services.filter(({ ports }) => ports === 'all')
  return {
    tun: interfaces.tun,
    bridges: interfaces.bridges,
    uplinks: interfaces.uplinks,
    publicAddresses: unique(services.flatMap(({ addresses }) => addresses)),
    hairpin: config.hairpin,
    endpoints: distinct(services.flatMap(serviceEndpoints)),
    wholeContainers: unique(whole.flatMap(containerAddresses)),
    containers: unique(services.flatMap(containerAddresses)),
  }
}

/** What stands for the containers of both, at the public addresses of the first: those of the second have nobody yet who serves them. */
export function widened(first: NetworkIntent, second: NetworkIntent): NetworkIntent {
  const both = <Item>(of: (intent: NetworkIntent) => readonly Item[]) => [...of(first), ...of(second)]
  return {
    ...first,
    bridges: unique(both(({ bridges }) => bridges)),
    endpoints: distinct(both(({ endpoints }) => endpoints)),
    wholeContainers: unique(both(({ wholeContainers }) => wholeContainers)),
    containers: unique(both(({ containers }) => containers)),
  }
}

const distinct = (endpoints: readonly Endpoint[]): readonly Endpoint[] => [
  ...new Map(endpoints.map((endpoint) => [formatEndpoint(endpoint), endpoint])).values(),
]

const formatEndpoint = ({ address, protocol, port }: Endpoint): string => `${address}/${protocol}/${port}`

const unique = <Item>(items: readonly Item[]): readonly Item[] => [...new Set(items)]

function serviceEndpoints(service: ServiceConfig): Endpoint[] {
  const { ports } = service
  if (ports === 'all') return []
  return service.containers.flatMap((container) =>
    servingAddresses(container, service).flatMap((address) =>
      ports.flatMap((rule) =>
        protocolsOf(rule).map((protocol) => ({ address, protocol, port: container.port ?? rule.target })),
      ),
    ),
  )
}

const containerAddresses = (service: ServiceConfig): Address[] =>
  service.containers.flatMap((container) => servingAddresses(container, service))

/** A container serves in the families that its service has a public address of. */
const servingAddresses = (container: ContainerConfig, service: ServiceConfig): Address[] =>
  [container.address, container.address6].filter(
    (own): own is Address =>
      own !== undefined && service.addresses.some((address) => isAddress4(address) === isAddress4(own)),
  )
