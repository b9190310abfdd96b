import type { Address, Prefix, PrefixLengths } from '../address.ts'
import type { PrefixTable } from '../prefix-table.ts'
import type { SourceConfig } from './sources.ts'

/** A whole configuration after validation: every default filled in, every address in its one form. */
export interface Config {
  readonly version: 1
  readonly interfaces: InterfacesConfig
  /** 16 bytes as 32 hex digits; undefined: the daemon makes one on first use and keeps it (see daemon.ts). */
  readonly key: string | undefined
  /** What other ports of a public address get: a TCP RST or ICMP unreachable, or silence. */
  readonly unserved: 'reject' | 'drop'
  /** Undefined: off. */
  readonly hairpin: HairpinConfig | undefined
  /** Undefined: no limits. */
  readonly newSources?: NewSourcesConfig | undefined
  readonly table: TableConfig
  /** The folder that keeps the table, absolute; undefined: one of the daemon's own state directory. */
  readonly store?: string | 'off' | undefined
  /** Bytes of the log of decisions, beside the store, at most. */
  readonly decisions: number | 'off'
  readonly dataplane: DataPlaneConfig
  /** When a container that turns down again and again is held back; undefined: never. */
  readonly damping: DampingConfig | undefined
  /** Where metrics are served; undefined: nowhere. */
  readonly metrics: ListenConfig | undefined
  /** Where the API is served besides the control socket; undefined: nowhere. */
  readonly api: ApiConfig | undefined
  /** Serve what containers' labels describe; undefined: do not look at them. */
  readonly docker: { readonly socket: string } | undefined
  readonly services: readonly ServiceConfig[]
}

export interface InterfacesConfig {
  readonly tun: string
  /** Those that a source names come to them. */
  readonly bridges: readonly string[]
  /** Empty: the interfaces of the default routes, looked up at start. */
  readonly uplinks: readonly string[]
}

/** How containers and the host itself call public addresses: src/pipeline/hairpin.ts. */
export interface HairpinConfig {
  readonly alias4: Prefix
  readonly alias6: Prefix
  /** Who is local. Undefined: the bridges' networks and the host's own addresses, read when they are needed. */
  readonly sources: readonly Prefix[] | undefined
}

/** How many new sources one address, and all of a prefix, may bring: src/table/new-sources.ts. */
export interface NewSourcesConfig extends PrefixLengths {
  /** A second; undefined: no limit. */
  readonly perSource: number | undefined
  readonly perPrefix: number | undefined
  readonly burstSeconds: number
}

export interface TableConfig {
  /** Entries at most; new sources beyond it stay on probation. */
  readonly capacity: number
  /** Places on probation, rounded up to a power of two. */
  readonly probation: number
  /** Flows remembered for endpoints that several public addresses or ports share, rounded up likewise. */
  readonly flows: number
  /** Fragmented packets remembered until their last fragment, rounded up likewise. */
  readonly fragments: number
}

export interface ListenConfig {
  /** As people write it: `127.0.0.1`, `::1`. */
  readonly host: string
  readonly port: number
}

export interface ApiConfig {
  readonly listen: ListenConfig
  /** Absolute, as the next two. */
  readonly tokenFile: string
  /** Undefined only for a loopback address. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
}

export interface DataPlaneConfig {
  /** TUN queues, one thread each. */
  readonly queues: number
  /** How long a thread looks again before it sleeps, in microseconds. */
  readonly spinUs: number
  /** Whether known sources' packets are handled in the kernel: where that works, not at all, or else no start. */
  readonly fastpath: 'auto' | 'off' | 'require'
  /** How long known sources are served by the kernel alone when the daemon has died. */
  readonly lingerSeconds: number
  /** One packet in so many has its checksums recomputed; 0: none. */
  readonly selfCheck: number
}

/** src/containers/damping.ts. */
export interface DampingConfig {
  /** Turns down that are borne. */
  readonly turns: number
  /** After which half of them are forgotten. */
  readonly halfLifeMs: number
}

export interface ServiceConfig {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly ports: readonly PortRule[] | 'all'
  readonly containers: readonly ContainerConfig[]
  /** Who says what the containers are, in the place of the config. */
  readonly source?: SourceConfig | undefined
  readonly algorithm: Algorithm
  readonly affinity: AffinityConfig
  /** How containers are checked; undefined: each is taken to be up. */
  readonly health?: HealthConfig | undefined
  /** How long a container's share of new sources grows after it has become ready; undefined: it is whole at once. */
  readonly slowStartMs?: number | undefined
  /** No container's part of the new sources is above this, from 0 to 1; undefined: no bound. */
  readonly maximumShare?: number | undefined
  readonly pins: readonly PinConfig[]
  /** More of them, from a file; undefined: there is none. */
  readonly pinFile?: PinFile | undefined
  /** Who may use it; undefined: everybody. */
  readonly sources?: SourceRules | undefined
  /** Sources remembered at most; undefined: as many as the table has room for. */
  readonly quota?: number | undefined
  /** What a client gets when no container can take it. */
  readonly empty: 'reject' | 'drop'
  /** What makes a packet from a container an answer: its endpoint, or a flow remembered there. */
  readonly replies: 'endpoint' | 'flow'
}

/** How a container is chosen for a source that nobody knows. */
export const ALGORITHMS = ['maglev', 'weighted-round-robin', 'least-sources', 'random-two'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** `80/tcp->8080`: the public port, the protocol and the container's port. */
export interface PortRule {
  readonly port: number
  readonly protocol: Protocol | 'any'
  readonly target: number
}

export type Protocol = 'tcp' | 'udp'

export const formatPortRule = ({ port, protocol, target }: PortRule): string =>
  target === port ? `${port}/${protocol}` : `${port}/${protocol}->${target}`

/** `any` is every protocol that has ports. */
export const protocolsOf = ({ protocol }: PortRule): readonly Protocol[] =>
  protocol === 'any' ? ['tcp', 'udp'] : [protocol]

export interface ContainerConfig {
  readonly name: string
  readonly address: Address | undefined
  readonly address6: Address | undefined
  /** Set when this container listens on another port than the rule's target; 1–65535. */
  readonly port: number | undefined
  /** 0–256; 0 takes no new sources. */
  readonly weight: number
}

/** A check of each of a service's containers, at the container's own address. */
export interface HealthConfig {
  readonly asks: HealthQuestion
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Passes in a row that turn it up, failures in a row that turn it down. */
  readonly rise: number
  readonly fall: number
  /** Each wait differs from the interval by up to this share of it, so that checks that began together drift apart. */
  readonly jitter: number
}

/** `port`, undefined: the container's end of the service's first port of the protocol. */
export type HealthQuestion =
  | { readonly type: 'tcp'; readonly port: number | undefined }
  | {
      readonly type: 'http' | 'https'
      readonly port: number | undefined
      readonly path: string
      /** The only HTTP status that passes; undefined: 200 to 399. */
      readonly status: number | undefined
      /** For the Host header and the TLS server name; undefined: the container's address. */
      readonly hostName: string | undefined
    }
  | {
      readonly type: 'udp'
      readonly port: number | undefined
      /** Characters U+0000 to U+00FF, a byte each. */
      readonly send: string
      readonly expect: string
    }
  | { readonly type: 'icmp' }

export interface AffinityConfig extends PrefixLengths {
  readonly scope: 'service' | 'group' | 'address'
  /** The group's name when scope is `group`. */
  readonly group: string | undefined
  readonly idleSeconds: number
}

export interface PinConfig {
  readonly source: Prefix
  /** One, or several that share the sources. */
  readonly containers: readonly string[]
}

/** `services[].sources`: who is let in, by the longest prefix that covers a source. */
export interface SourceRules {
  /** To ALLOWED or DENIED (src/prefix-table.ts); what the files say comes in when they are read. */
  readonly table: PrefixTable
  /** As they are written in the config. */
  readonly allowFrom: string | undefined
  readonly denyFrom: string | undefined
  /** Whether sources that no prefix covers are let in. */
  readonly isOpen: boolean
  readonly denied: 'drop' | 'reject'
}

/** What `pinsFrom` names: src/config/pin-file.ts. */
export interface PinFile {
  /** As it is written in the config. */
  readonly name: string
  /** Empty until it has been read. */
  readonly table: PrefixTable
  /** By the table's numbers. */
  readonly sets: readonly (readonly string[])[]
}
