import type { Address } from '../address.ts'

/** A whole configuration after validation: every default filled in, every address in its one form. */
export interface Config {
  readonly version: 1
  readonly interfaces: InterfacesConfig
  /** 16 bytes as 32 hex digits; undefined: the daemon makes one on first use and keeps it (see daemon.ts). */
  readonly key: string | undefined
  /** What other ports of a public address get: a TCP RST or ICMP unreachable, or silence. */
  readonly unserved: 'reject' | 'drop'
  readonly table: TableConfig
  readonly dataplane: DataPlaneConfig
  readonly services: readonly ServiceConfig[]
}

export interface InterfacesConfig {
  readonly tun: string
  readonly bridges: readonly string[]
  /** Empty: the interfaces of the default routes, looked up at start. */
  readonly uplinks: readonly string[]
}

export interface TableConfig {
  /** Entries at most; new sources beyond it stay on probation. */
  readonly capacity: number
  /** Places on probation, rounded up to a power of two. */
  readonly probation: number
  /** Flows remembered for endpoints that several public addresses or ports share, rounded up likewise. */
  readonly flows: number
}

export interface DataPlaneConfig {
  /** TUN queues, one thread each. */
  readonly queues: number
  /** How long a thread looks again before it sleeps, in microseconds. */
  readonly spinUs: number
}

export interface ServiceConfig {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly ports: readonly PortRule[] | 'all'
  readonly containers: readonly ContainerConfig[]
  readonly algorithm: 'maglev'
  readonly affinity: AffinityConfig
  readonly pins: readonly PinConfig[]
  /** What a client gets when no container can take it. */
  readonly empty: 'reject' | 'drop'
}

/** `80/tcp->8080`: the public port, the protocol and the container's port. */
export interface PortRule {
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
  readonly target: number
}

export interface ContainerConfig {
  readonly name: string
  readonly address: Address | undefined
  readonly address6: Address | undefined
  /** Set when this container listens on another port than the rule's target; 1–65535. */
  readonly port: number | undefined
  /** 0–256; 0 takes no new sources. */
  readonly weight: number
}

export interface AffinityConfig {
  readonly scope: 'service' | 'group' | 'address'
  /** The group's name when scope is `group`. */
  readonly group: string | undefined
  readonly prefix4: number
  readonly prefix6: number
  readonly idleSeconds: number
}

export interface PinConfig {
  readonly source: { readonly address: Address; readonly length: number }
  readonly container: string
}
