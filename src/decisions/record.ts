import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, deflateRaw, inflateRaw } from 'node:zlib'
import type { PrefixLengths } from '../address.ts'
import type { State } from '../containers/conditions.ts'
import { decodeRecord, encodeRecord, isUnreadable, type Names, type TableRecord } from '../table/record.ts'
import type { Rows } from '../table/rows.ts'

/**
 * What the decision log is made of, one after another in its files. Little-endian:
 *
 * | at | field |
 * | --- | --- |
 * | 0 | "1dec" |
 * | 4 | bytes of the body u32 |
 * | 8 | seal: 16 bytes of the body's SHA-256 |
 * | 24 | body, by raw DEFLATE (RFC 1951): bytes of the note u32, the note as JSON, a record of rows (src/table/record.ts) or nothing |
 */
export type Note =
  /** Rows that are changes, as they were read. */
  | { readonly kind: 'changes'; readonly at: number }
  /** `clock`: it was set back, to this. */
  | { readonly kind: 'start' | 'stop' | 'clock'; readonly at: number }
  /** As it is then: in front of every file, and whenever a service is another. */
  | { readonly kind: 'scopes'; readonly at: number; readonly scopes: readonly LoggedScope[] }
  | {
      readonly kind: 'containers'
      readonly at: number
      readonly states: Readonly<Record<string, LoggedState>>
    }
  /** A container turned; without a state it is gone. */
  | { readonly kind: 'state'; readonly at: number; readonly container: string; readonly state?: LoggedState }
  /** Changes that could not be logged. */
  | { readonly kind: 'lost'; readonly at: number; readonly count: number }

/** Milliseconds since 1970, as every `at`. */
export interface LoggedState {
  readonly state: State
  readonly by?: string
  readonly why?: string
  readonly since?: number
}

export interface LoggedScope extends PrefixLengths {
  readonly name: string
  readonly services: readonly string[]
}

export interface Logged {
  readonly note: Note
  readonly table: TableRecord | undefined
}

const MAGIC = 0x63656431
const MAGIC_TEXT = '1dec'
const HEADER_BYTES = 24
const SEAL_BYTES = 16

const deflate = promisify(deflateRaw)
const inflate = promisify(inflateRaw)

export async function encodeLogged(
  note: Note,
  rows: Rows | undefined,
  names: Names,
  zeroMs: number,
): Promise<Buffer> {
  const text = Buffer.from(JSON.stringify(note))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  const record = rows === undefined ? Buffer.alloc(0) : encodeRecord(rows, names, zeroMs)
  const body = await deflate(Buffer.concat([length, text, record]), { level: constants.Z_BEST_SPEED })
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(MAGIC, 0)
  header.writeUInt32LE(body.length, 4)
  sealOf(body).copy(header, 8)
  return Buffer.concat([header, body])
}

/**
 * In a file's bytes: each in its order, and `damaged` where bytes are not as they were written. Where the last one ends too
 * early is the end: a crash did that, and nothing was written behind it.
 */
export async function* decodeLogged(bytes: Buffer): AsyncGenerator<Logged | 'damaged'> {
  let hole = false
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const body = bodyAt(bytes, at)
    if (body !== undefined) yield await decodeBody(body).catch(() => 'damaged' as const)
    const next = body === undefined ? bytes.indexOf(MAGIC_TEXT, at + 1) : at + HEADER_BYTES + body.length
    if (body === undefined && !hole && (next >= 0 || !isMagic(bytes, at))) yield 'damaged'
    hole = body === undefined
    if (next < 0) return
    at = next
  }
}

const isMagic = (bytes: Buffer, at: number): boolean => bytes.readUInt32LE(at) === MAGIC

/** Undefined: there is none, or not as it was sealed. */
function bodyAt(bytes: Buffer, at: number): Buffer | undefined {
  if (!isMagic(bytes, at)) return undefined
  const start = at + HEADER_BYTES
  const body = bytes.subarray(start, start + bytes.readUInt32LE(at + 4))
  return sealOf(body).equals(bytes.subarray(start - SEAL_BYTES, start)) ? body : undefined
}

async function decodeBody(body: Buffer): Promise<Logged | 'damaged'> {
  const plain = await inflate(body)
  const end = 4 + plain.readUInt32LE(0)
  const note = JSON.parse(plain.toString('utf8', 4, end)) as Note
  if (end === plain.length) return { note, table: undefined }
  const table = decodeRecord(plain.subarray(end))
  return isUnreadable(table) ? 'damaged' : { note, table }
}

/** Against damage, not against people: who may write the file may write anything. */
const sealOf = (body: Uint8Array): Buffer =>
  createHash('sha256').update(body).digest().subarray(0, SEAL_BYTES)
