import { addressBytes, isAddress4, type Prefix } from '../address.ts'
import {
  ALGORITHMS,
  type ContainerState,
  type Front,
  type Hairpin,
  type Member,
  type Snapshot,
  type SnapshotService,
} from '../pipeline/snapshot.ts'
import type { PrefixTable } from '../prefix-table.ts'
import type { NewSourceLimits } from '../table/new-sources.ts'

/**
 * What makes a snapshot of the one before it, as bytes for native/src/pipeline/update.cc. Numbers are little-endian and lie
 * without gaps; an address is its 4 or 16 bytes in network order; a list is its length (u32) and its elements; a text is its
 * length (u8) and its bytes.
 *
 * | what | fields |
 * | --- | --- |
 * | update | magic "1hop", version u32 (5), key 16 bytes, unserved u8 (0 reject, 1 drop), hairpin u8 (0 off, 1 on), and if on alias4, alias6 and sources; new sources; is whole u8 (1: nothing of the snapshot before stays), gone: list of services' ids u32, services: those that came or changed |
 * | alias4, alias6 | length u8, prefix |
 * | new sources | is limited u8, and if so per source and per prefix u32 (0: no limit), burst seconds u8, prefix4 u8, prefix6 u8 |
 * | source | is v6 u8, length u8, prefix |
 * | service | id u32, prefix4 u8, prefix6 u8, empty u8 (0 reject, 1 drop), replies u8 (0 endpoint, 1 flow), algorithm u8 (position in ALGORITHMS), seed u32, members, pins, admission, fronts |
 * | member | container's id u32, state u8 (position in STATES), has address4 u8, has address6 u8, port u16, weight4 u16, weight6 u16, name text, address4, address6 |
 * | table | kind u8 (0 none, 1 that of the same service in the snapshot before, 2 given), and if given rows4 and rows6: their bytes as src/prefix-table.ts has them, lengths u32 |
 * | pins | table; unless none, sets |
 * | admission | table; unless none, is open u8, denied u8 (0 reject, 1 drop) |
 * | set | list of members u16 (positions in members) |
 * | front | is v6 u8, protocol u8, port u16, target u16, scope u32, idle seconds u32, quota u32 (2^32 - 1: none), address |
 *
 * A container of a pin that is no member can never be used and is left out. Ids and scopes are below 2^24; the decoder
 * refuses others.
 */
export function encodeUpdate(snapshot: Snapshot, changes: Changes): Uint8Array {
  const writer = new ByteWriter()
  writer.bytes(MAGIC)
  writer.u32(VERSION)
  writer.bytes(snapshot.key)
  writer.boolean(snapshot.unserved === 'drop')
  writeHairpin(writer, snapshot.hairpin)
  writeNewSources(writer, snapshot.newSources)
  writer.boolean(changes.isWhole)
  writer.list(changes.gone, (id) => writer.u32(id))
  writer.list(changes.services, (changed) => writeService(writer, changed))
  return writer.written()
}

/** A snapshot with none before it. */
export const encodeSnapshot = (snapshot: Snapshot): Uint8Array =>
  encodeUpdate(snapshot, {
    isWhole: true,
    gone: [],
    services: snapshot.services.map((service) => ({ service, known: undefined })),
  })

/** What is to be told of a snapshot when another is known. */
export interface Changes {
  readonly isWhole: boolean
  /** Ids. */
  readonly gone: readonly number[]
  readonly services: readonly ChangedService[]
}

export interface ChangedService {
  readonly service: SnapshotService
  /** As it was before. */
  readonly known: SnapshotService | undefined
}

const MAGIC = new TextEncoder().encode('1hop')
const VERSION = 5
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

function writeNewSources(writer: ByteWriter, limits: NewSourceLimits | undefined): void {
  writer.boolean(limits !== undefined)
  if (limits === undefined) return
  writer.u32(limits.perSource ?? 0)
  writer.u32(limits.perPrefix ?? 0)
  writer.u8(limits.burstSeconds)
  writer.u8(limits.prefix4)
  writer.u8(limits.prefix6)
}

function writePrefix(writer: ByteWriter, { address, length }: Prefix): void {
  writer.u8(length)
  writer.bytes(addressBytes(address))
}

function writeService(writer: ByteWriter, changed: ChangedService): void {
  const { service } = changed
  writer.u32(service.id)
  writer.u8(service.prefix4)
  writer.u8(service.prefix6)
  writer.boolean(service.empty === 'drop')
  writer.boolean(service.replies === 'flow')
  writer.u8(ALGORITHMS.indexOf(service.algorithm))
  writer.u32(service.seed)
  writer.list(service.members, (member) => writeMember(writer, member))
  writePins(writer, changed)
  writeAdmission(writer, changed)
  writer.list(service.fronts, (front) => writeFront(writer, front))
}

function writeMember(writer: ByteWriter, { container, port, weight4, weight6 }: Member): void {
  const { id, name, state, address4, address6 } = container
  writer.u32(id)
  writer.u8(STATES.indexOf(state))
  writer.boolean(address4 !== undefined)
  writer.boolean(address6 !== undefined)
  writer.u16(port)
  writer.u16(weight4)
  writer.u16(weight6)
  writer.text(name)
  if (address4 !== undefined) writer.bytes(addressBytes(address4))
  if (address6 !== undefined) writer.bytes(addressBytes(address6))
}

function writePins(writer: ByteWriter, { service, known }: ChangedService): void {
  const { table, sets } = service.pins
  const isSome = writeTable(writer, table.size === 0 ? undefined : table, known?.pins.table)
  if (!isSome) return
  const places = placesOf(service.members)
  writer.list(sets, (ids) => {
    const members = ids.flatMap((id) => places.get(id) ?? [])
    writer.list(members, (member) => writer.u16(member))
  })
}

function writeAdmission(writer: ByteWriter, { service: { admission }, known }: ChangedService): void {
  const isSome = writeTable(writer, admission?.table, known?.admission?.table)
  if (!isSome) return
  writer.boolean(admission!.isOpen)
  writer.boolean(admission!.denied === 'drop')
}

/** Returns whether there is one. */
function writeTable(
  writer: ByteWriter,
  table: PrefixTable | undefined,
  known: PrefixTable | undefined,
): boolean {
  writer.u8(table === undefined ? 0 : table === known ? 1 : 2)
  if (table === undefined || table === known) return table !== undefined
  for (const family of [4, 6] as const) {
    const rows = table.rows(family)
    writer.u32(rows.length)
    writer.bytes(rows)
  }
  return true
}

/** By container's id; of several the first. */
function placesOf(members: readonly Member[]): ReadonlyMap<number, number> {
  const places = new Map<number, number>()
  for (const [i, { container }] of members.entries())
    if (!places.has(container.id)) places.set(container.id, i)
  return places
}

function writeFront(writer: ByteWriter, front: Front): void {
  const { address, protocol, port, target, scope, idleSeconds, quota } = front
  writer.boolean(!isAddress4(address))
  writer.u8(protocol)
  writer.u16(port)
  writer.u16(target)
  writer.u32(scope)
  writer.u32(idleSeconds)
  writer.u32(quota ?? NO_QUOTA)
  writer.bytes(addressBytes(address))
}

/** Writes numbers one after another into bytes that grow. Throws RangeError for what does not fit its field. */
class ByteWriter {
  readonly #encoder = new TextEncoder()
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

  text(text: string): void {
    const bytes = this.#encoder.encode(text)
    this.u8(bytes.length)
    this.bytes(bytes)
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
