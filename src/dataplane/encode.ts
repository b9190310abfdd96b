import { addressBytes, isAddress4, type Prefix } from '../address.ts'
import type {
  ContainerState,
  Front,
  Hairpin,
  Member,
  Pin,
  Snapshot,
  SnapshotContainer,
  SnapshotService,
} from '../pipeline/snapshot.ts'

/**
 * A snapshot as bytes, for native/src/pipeline/snapshot.cc. Numbers are little-endian and lie without gaps; an
 * address is its 4 or 16 bytes in network order; a list is its length (u32) and its elements.
 *
 * | what | fields |
 * | --- | --- |
 * | snapshot | magic "1hop", version u32 (2), key 16 bytes, unserved u8 (0 reject, 1 drop), hairpin u8 (0 off, 1 on), and if on alias4, alias6 and sources; containers, services |
 * | alias4, alias6 | length u8, prefix |
 * | source | is v6 u8, length u8, prefix |
 * | container | id u32, state u8 (position in STATES), has address4 u8, has address6 u8, address4, address6 |
 * | service | id u32, prefix4 u8, prefix6 u8, empty u8 (0 reject, 1 drop), replies u8 (0 endpoint, 1 flow), has one ring u8, idle seconds u32, quota u32 (2^32 - 1: none), members, pins, fronts, ring4, ring6 unless there is one ring |
 * | member | container u32 (position in containers), port u16 |
 * | pin | is v6 u8, length u8, member u16 (position in members), prefix |
 * | front | is v6 u8, protocol u8, port u16, target u16, scope u32, address |
 * | ring | rows u16: positions in members |
 *
 * Equal rings are written once: they are most of a snapshot. A pin to a container that is no member can never
 * be used and is left out. Ids and scopes are below 2^24; the decoder refuses others.
 */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const writer = new ByteWriter()
  const containers = [...snapshot.containers.values()]
  const positions = new Map(containers.map(({ id }, position) => [id, position]))
  writer.bytes(MAGIC)
  writer.u32(VERSION)
  writer.bytes(snapshot.key)
  writer.boolean(snapshot.unserved === 'drop')
  writeHairpin(writer, snapshot.hairpin)
  writer.list(containers, (container) => writeContainer(writer, container))
  writer.list(snapshot.services, (service) => writeService(writer, service, positions))
  return writer.written()
}

const MAGIC = new TextEncoder().encode('1hop')
const VERSION = 2
const NO_QUOTA = 0xffff_ffff
const STATES: readonly ContainerState[] = ['ready', 'draining', 'down']

function writeHairpin(writer: ByteWriter, hairpin: Hairpin | undefined): void {
  writer.boolean(hairpin !== undefined)
  if (hairpin === undefined) return
  writePrefix(writer, hairpin.alias4)
  writePrefix(writer, hairpin.alias6)
  writer.list(hairpin.sources, (source) => {
    writer.boolean(!isAddress4(source.address))
    writePrefix(writer, source)
  })
}

function writePrefix(writer: ByteWriter, { address, length }: Prefix): void {
  writer.u8(length)
  writer.bytes(addressBytes(address))
}

function writeContainer(writer: ByteWriter, { id, state, address4, address6 }: SnapshotContainer): void {
  writer.u32(id)
  writer.u8(STATES.indexOf(state))
  writer.boolean(address4 !== undefined)
  writer.boolean(address6 !== undefined)
  if (address4 !== undefined) writer.bytes(addressBytes(address4))
  if (address6 !== undefined) writer.bytes(addressBytes(address6))
}

function writeService(
  writer: ByteWriter,
  service: SnapshotService,
  positions: ReadonlyMap<number, number>,
): void {
  const { ring4, ring6, members } = service
  const hasOneRing = isSameRing(ring4, ring6)
  writer.u32(service.id)
  writer.u8(service.prefix4)
  writer.u8(service.prefix6)
  writer.boolean(service.empty === 'drop')
  writer.boolean(service.replies === 'flow')
  writer.boolean(hasOneRing)
  writer.u32(service.idleSeconds)
  writer.u32(service.quota ?? NO_QUOTA)
  writer.list(members, (member) => writeMember(writer, member, positions))
  writer.list(usablePins(service), (pin) => writePin(writer, pin))
  writer.list(service.fronts, (front) => writeFront(writer, front))
  writer.ring(ring4)
  if (!hasOneRing) writer.ring(ring6)
}

const isSameRing = (a: Uint16Array, b: Uint16Array): boolean =>
  a === b || (a.length === b.length && a.every((row, i) => row === b[i]))

function writeMember(
  writer: ByteWriter,
  { container, port }: Member,
  positions: ReadonlyMap<number, number>,
): void {
  const position = positions.get(container)
  if (position === undefined) throw new Error(`no container ${container} in the snapshot`)
  writer.u32(position)
  writer.u16(port)
}

interface PlacedPin {
  readonly pin: Pin
  readonly member: number
}

function usablePins({ pins, members }: SnapshotService): readonly PlacedPin[] {
  if (pins.length === 0) return []
  const places = new Map<number, number>()
  for (const [i, { container }] of members.entries()) if (!places.has(container)) places.set(container, i)
  return pins.flatMap((pin) => {
    const member = places.get(pin.container)
    return member === undefined ? [] : [{ pin, member }]
  })
}

function writePin(writer: ByteWriter, { pin, member }: PlacedPin): void {
  writer.boolean(!isAddress4(pin.prefix))
  writer.u8(pin.length)
  writer.u16(member)
  writer.bytes(addressBytes(pin.prefix))
}

function writeFront(writer: ByteWriter, { address, protocol, port, target, scope }: Front): void {
  writer.boolean(!isAddress4(address))
  writer.u8(protocol)
  writer.u16(port)
  writer.u16(target)
  writer.u32(scope)
  writer.bytes(addressBytes(address))
}

/** Writes numbers one after another into bytes that grow. Throws RangeError for what does not fit its field. */
class ByteWriter {
  #bytes = new Uint8Array(4096)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  u8(value: number): void {
    const at = this.#reserve(1)
    this.#view.setUint8(at, fitting(value, 0xff))
  }

  u16(value: number): void {
    const at = this.#reserve(2)
    this.#view.setUint16(at, fitting(value, 0xffff), true)
  }

  u32(value: number): void {
    const at = this.#reserve(4)
    this.#view.setUint32(at, fitting(value, 0xffff_ffff), true)
  }

  boolean(value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.u32(items.length)
    for (const item of items) write(item)
  }

  /** Rows as they lie in memory: Node runs onehop on little-endian processors only (native/src/packet/bytes.h). */
  ring(rows: Uint16Array): void {
    this.u32(rows.length)
    this.bytes(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#bytes.length) this.#grow()
    return at
  }

  #grow(): void {
    const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

function fitting(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most)
    throw new RangeError(`${value}; expected a whole number from 0 to ${most}`)
  return value
}
