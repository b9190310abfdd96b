import { type Address, isAddress4, joinAddresses } from '../../src/address.ts'
import type { Config } from '../../src/config/config.ts'
import { NO_OFFLOAD, type Offload } from '../../src/packet/offload.ts'
import { fragmentsOf } from './fragments.ts'
import {
  ACK,
  buildPacket,
  exchanged,
  headersOf,
  type PacketFields,
  RST,
  SYN,
  withRightSums,
} from './packets.ts'
import type { Random } from './random.ts'

export interface Arrival {
  readonly packet: Uint8Array
  readonly offload: Offload
}

/**
 * What arrives at an engine: mostly plausible conversations with a config's addresses, some of it broken. Few
 * clients and ports, so that sources return, prove themselves, share prefixes and crowd small tables.
 */
export class Traffic {
  readonly #random: Random
  readonly #publics: readonly Address[]
  readonly #endpoints: readonly Address[]
  readonly #ports: readonly number[]
  readonly #hairpin: Config['hairpin']
  /** Packets that reached a container and wait for its answer, and answers that wait for the client. */
  #answers: Uint8Array[] = []
  /** Of packets that were cut, what has not arrived yet. */
  #fragments: Uint8Array[] = []

  constructor(config: Config, random: Random) {
    this.#random = random
    this.#publics = config.services.flatMap(({ addresses }) => addresses)
    this.#endpoints = config.services.flatMap(({ containers }) =>
      containers.flatMap(({ address, address6 }) => [address, address6].filter((one) => one !== undefined)),
    )
    this.#hairpin = config.hairpin
    const rules = config.services.flatMap(({ ports }) => (ports === 'all' ? [] : ports))
    this.#ports = [...new Set(rules.flatMap(({ port, target }) => [port, target])), 9]
  }

  next(): Arrival {
    return this.disturbed(this.#packet())
  }

  /** A packet as it may arrive: mostly whole, now and then damaged or with an offload header. */
  disturbed(packet: Uint8Array): Arrival {
    const damaged = this.#random.oneIn(12) ? this.#damaged(packet) : packet
    return { packet: damaged, offload: this.#random.oneIn(6) ? this.#offload(damaged) : NO_OFFLOAD }
  }

  /** Tells what left for a container, so that an answer may follow. */
  forwarded(output: Uint8Array): void {
    if (this.#answers.length < 64) this.#answers.push(output.slice())
  }

  #packet(): Uint8Array {
    if (this.#fragments.length > 0 && !this.#random.oneIn(3)) return this.#fragments.shift()!
    const packet = this.#whole()
    return this.#random.oneIn(20) ? this.#cut(packet) : packet
  }

  /** Mostly in order, now and then with a part missing. */
  #cut(packet: Uint8Array): Uint8Array {
    const random = this.#random
    const isMadeUp = ![0x45, 0x60].includes(packet[0]!)
    if (isMadeUp || packet.length < 60 || EXTENSIONS.includes(packet[6]!)) return packet
    const pieces = fragmentsOf(packet, 8 * (1 + random.below(4)), random.below(4))
    if (random.oneIn(4)) pieces.push(...pieces.splice(0, 1 + random.below(pieces.length)))
    if (random.oneIn(8)) pieces.splice(random.below(pieces.length), 1)
    this.#fragments.push(...pieces)
    return this.#fragments.shift() ?? packet
  }

  #whole(): Uint8Array {
    const kind = this.#random.below(18)
    if (kind < 7) return this.#request()
    if (kind < 13) return this.#answer() ?? this.#request()
    if (kind === 13) return this.#stray()
    if (kind > 15) return this.#error()
    return kind === 14 ? this.#random.bytes(this.#random.below(120)) : this.#fromEndpoint()
  }

  #request(): Uint8Array {
    const destination = this.#random.pick(this.#publics)
    return buildPacket(this.#fields(this.#client(destination), destination))
  }

  /** A container answers what it got, or a client acknowledges such an answer. */
  #answer(): Uint8Array | undefined {
    const waiting = this.#answers.splice(this.#random.below(this.#answers.length || 1), 1)[0]
    if (waiting === undefined) return undefined
    const answer = exchanged(waiting)
    const { protocol, end: at } = headersOf(answer)
    const view = new DataView(answer.buffer)
    // Of a flow that nobody may have begun.
    if ([6, 17].includes(protocol) && answer.length >= at + 4 && this.#random.oneIn(12))
      view.setUint16(at + 2, this.#random.pick(CLIENT_PORTS))
    if (protocol === 6 && answer.length >= at + 20) {
      view.setUint32(at + 4, this.#random.pick([0, 7, 0xffff_ffff, 0xffff_fff0]))
      view.setUint8(at + 13, this.#random.pick([SYN | ACK, SYN | ACK, ACK, ACK | RST, RST, SYN]))
    }
    if (protocol === 1 && answer.length > at) answer[at] = this.#random.pick([0, 0, 0, 3, 8])
    if (protocol === 58 && answer.length > at) answer[at] = this.#random.pick([129, 129, 129, 1, 128])
    return withRightSums(answer)
  }

  /** An ICMP error about an answer that went out, or about a request at a container; mostly quoted in part. */
  #error(): Uint8Array {
    const random = this.#random
    const about = this.#answers[random.below(this.#answers.length || 1)]
    const isRequest = about !== undefined && random.oneIn(2)
    const quoted = isRequest ? about : this.#publicAnswer()
    const is4 = quoted[0]! >> 4 === 4
    const [at, bytes] = is4 ? [12, 4] : [8, 16]
    const destination = Buffer.from(quoted.subarray(at, at + bytes)).toString('hex') as Address
    const cut = random.oneIn(2) ? quoted.length : random.below(quoted.length + 1)
    return buildPacket({
      source: this.#client(destination),
      destination,
      protocol: is4 ? 1 : 58,
      type: random.pick(is4 ? [3, 3, 11, 12, 5] : [1, 2, 3, 4, 0]),
      payload: quoted.subarray(0, cut),
    })
  }

  /** As a client sees it. */
  #publicAnswer(): Uint8Array {
    const source = this.#random.pick(this.#publics)
    return buildPacket({
      ...this.#fields(source, this.#client(source)),
      sourcePort: this.#random.pick(this.#ports),
      destinationPort: this.#random.pick(CLIENT_PORTS),
      ...(this.#random.oneIn(2) ? { type: source.length === 8 ? 0 : 129 } : {}),
    })
  }

  #stray(): Uint8Array {
    const source = this.#client(this.#random.pick(this.#publics))
    return buildPacket(this.#fields(source, this.#client(source)))
  }

  #fromEndpoint(): Uint8Array {
    const source =
      this.#endpoints.length === 0 ? this.#client(this.#publics[0]!) : this.#random.pick(this.#endpoints)
    return buildPacket({
      ...this.#fields(source, this.#client(source)),
      sourcePort: this.#random.pick(this.#ports),
      destinationPort: this.#random.pick(CLIENT_PORTS),
    })
  }

  #fields(source: Address, destination: Address): PacketFields {
    const random = this.#random
    const is4 = source.length === 8
    const protocol = random.pick(is4 ? PROTOCOLS4 : PROTOCOLS6)
    return {
      source,
      destination,
      protocol,
      sourcePort: random.pick(CLIENT_PORTS),
      destinationPort: random.pick(this.#ports),
      flags: random.oneIn(8) ? random.below(256) : random.pick([SYN, ACK, ACK, ACK, ACK | RST]),
      sequence: random.pick([1, 0xffff_ffff]),
      acknowledgment: random.pick([0, 1, 7, 8, 9, 0xf000, 0x10007, 0xffff_fff1]),
      type: random.oneIn(4) ? random.below(256) : is4 ? 8 : 128,
      payload: random.bytes(random.oneIn(50) ? random.below(2000) : random.below(24)),
      hasNoChecksum: random.oneIn(6),
      ...(random.oneIn(10) ? { options: random.bytes(4 * random.below(11)) } : {}),
      ...(random.oneIn(10) ? { fragment: random.pick(is4 ? FRAGMENTS4 : FRAGMENTS6) } : {}),
      identification: random.below(4),
      ...(random.oneIn(is4 ? 1000 : 5) ? { extensions: this.#extensions() } : {}),
    }
  }

  /** Up to three, seldom more than are followed; routing headers mostly at their end. */
  #extensions(): NonNullable<PacketFields['extensions']> {
    const random = this.#random
    const count = random.oneIn(20) ? 7 + random.below(4) : 1 + random.below(3)
    return Array.from({ length: count }, (_, i) => {
      const kind = i === 0 && random.oneIn(2) ? 0 : random.pick([43, 60, 60])
      const bytes = random.bytes(random.pick([8, 16]))
      bytes[1] = bytes.length / 8 - 1
      if (kind === 43 && !random.oneIn(4)) bytes[3] = 0
      return [kind, bytes] as const
    })
  }

  /** Sixteen clients of either family, some in one prefix; local ones and aliases; rarely any address at all. */
  #client(like: Address): Address {
    const random = this.#random
    const is4 = like.length === 8
    if (this.#hairpin?.sources !== undefined && random.oneIn(3)) return this.#neighbour(is4, this.#hairpin)
    if (random.oneIn(20)) return Buffer.from(random.bytes(is4 ? 4 : 16)).toString('hex') as Address
    const last = random.below(8).toString(16).padStart(2, '0')
    const prefix = is4 ? random.pick(['c63364', 'c00002']) : random.pick(['20010db80001', '20010db80002'])
    return `${prefix.padEnd((is4 ? 8 : 32) - 2, '0')}${last}` as Address
  }

  /** A container, another local source, or an alias, of a source or of nobody. */
  #neighbour(is4: boolean, { alias4, alias6, sources = [] }: NonNullable<Config['hairpin']>): Address {
    const random = this.#random
    const isFamily = (address: Address) => isAddress4(address) === is4
    if (random.oneIn(2)) return random.pick(this.#endpoints.filter(isFamily))
    const { address, length } = random.pick(sources.filter(({ address }) => isFamily(address)))
    const any = Buffer.from(random.bytes(address.length / 2)).toString('hex') as Address
    const source = joinAddresses(address, length, any)
    if (!random.oneIn(3)) return source
    const alias = is4 ? alias4 : alias6
    return joinAddresses(alias.address, alias.length, random.oneIn(2) ? source : any)
  }

  #damaged(packet: Uint8Array): Uint8Array {
    const random = this.#random
    const damaged = packet.slice()
    switch (random.below(5)) {
      case 0:
        return damaged.subarray(0, random.below(damaged.length + 1))
      case 1:
        return new Uint8Array(Buffer.concat([damaged, random.bytes(1 + random.below(40))]))
      case 2: // IPv4: another header length; chance alone hardly finds one beside a right total length
        if (damaged.length > 0) damaged[0] = (damaged[0]! & 0xf0) | random.below(16)
        return damaged
      default:
        for (let flips = 1 + random.below(3); flips > 0 && damaged.length > 0; flips--)
          damaged[random.below(Math.min(damaged.length, 64))] = random.below(256)
        return damaged
    }
  }

  #offload(packet: Uint8Array): Offload {
    const random = this.#random
    if (random.oneIn(3))
      return {
        needsChecksum: random.oneIn(2),
        checksumStart: random.below(0x10000),
        checksumOffset: random.below(0x10000),
        gsoType: random.below(256),
        gsoSize: random.below(0x10000),
      }
    const is4 = (packet[0] ?? 0) >> 4 === 4
    const { protocol, end } = headersOf(packet)
    return {
      needsChecksum: !random.oneIn(6),
      checksumStart: random.oneIn(10) ? end + random.below(40) : end,
      checksumOffset: protocol === 6 ? 16 : 6,
      gsoType: random.pick([0, 0, protocol === 6 ? (is4 ? 1 : 4) : 5, 3]),
      gsoSize: random.pick([0, 1, 7, 8, 1400, 1400, 0xffff]),
    }
  }
}

/** IPv6: what may have to stand in front of a fragment header. */
const EXTENSIONS = [0, 43, 44, 60]
const CLIENT_PORTS = [40_000, 40_001, 53, 80]
const FRAGMENTS4 = [0x2000, 0x2001, 0x0003, 0x4000, 0x8000]
const FRAGMENTS6 = [0x0001, 0x0009, 0x0018, 0x0000, 0x0006]
const PROTOCOLS4 = [6, 6, 6, 6, 17, 17, 17, 1, 1, 136, 47, 58, 0, 33, 51]
const PROTOCOLS6 = [6, 6, 6, 6, 17, 17, 17, 58, 58, 136, 47, 44, 0, 60, 1, 51, 59, 139, 135]
