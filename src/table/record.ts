import { containerOf, formerOf, ROW_BYTES, type Rows, rowCount, scopeOf } from './rows.ts'

/**
 * Rows with what they need to be understood by another process: the names of the scopes and containers whose numbers
 * they bear, and when the clock of their seconds was zero. The store keeps such records, the control socket hands them
 * out and takes them. Little-endian:
 *
 * | at | field |
 * | --- | --- |
 * | 0 | "1row" |
 * | 4 | version u32 (1) |
 * | 8 | bytes of names u32, a multiple of 8 |
 * | 12 | rows u32 |
 * | 16 | the clock's zero, f64: milliseconds since 1970 |
 * | 24 | names: JSON `{"scopes": {"NUMBER": "NAME", …}, "containers": {…}}`, spaces at its end |
 * | after it | rows (rows.ts) |
 */
export interface TableRecord {
  readonly zeroMs: number
  readonly scopes: ReadonlyMap<number, string>
  readonly containers: ReadonlyMap<number, string>
  readonly rows: Rows
}

export interface Names {
  scopeName(id: number): string | undefined
  containerName(id: number): string | undefined
}

const MAGIC = 0x776f7231
export const RECORD_VERSION = 1
const HEADER_BYTES = 24

export function encodeRecord(rows: Rows, names: Names, zeroMs: number): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(namesIn(rows, names)))
  const namesBytes = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(HEADER_BYTES + namesBytes + rows.byteLength)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, RECORD_VERSION, true)
  view.setUint32(8, namesBytes, true)
  view.setUint32(12, rowCount(rows), true)
  view.setFloat64(16, zeroMs, true)
  bytes.fill(0x20, HEADER_BYTES, HEADER_BYTES + namesBytes)
  bytes.set(text, HEADER_BYTES)
  bytes.set(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), HEADER_BYTES + namesBytes)
  return bytes
}

/** Numbers that have no name are left out: nobody can tell what they meant. */
function namesIn(rows: Rows, names: Names) {
  const scopes = new Set<number>()
  const containers = new Set<number>()
  for (let row = 0; row < rowCount(rows); row++) {
    scopes.add(scopeOf(rows, row))
    containers.add(containerOf(rows, row))
    containers.add(formerOf(rows, row))
  }
  const named = (ids: ReadonlySet<number>, nameOf: (id: number) => string | undefined) =>
    Object.fromEntries([...ids].map((id) => [id, nameOf(id)]))
  return { scopes: named(scopes, names.scopeName), containers: named(containers, names.containerName) }
}

/** Another onehop's records may have another version; anything else that is no record is damaged. */
export type Unreadable =
  | { readonly fault: 'damaged' }
  | { readonly fault: 'version'; readonly version: number }

/** Its rows are the bytes' own when they lie on a multiple of 8, else a copy. */
export function decodeRecord(bytes: Uint8Array): TableRecord | Unreadable {
  if (bytes.length < HEADER_BYTES) return DAMAGED
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC) return DAMAGED
  const version = view.getUint32(4, true)
  if (version !== RECORD_VERSION) return { fault: 'version', version }
  const start = HEADER_BYTES + view.getUint32(8, true)
  const names = start > bytes.length ? undefined : readNames(bytes.subarray(HEADER_BYTES, start))
  if (names === undefined || bytes.length !== start + view.getUint32(12, true) * ROW_BYTES) return DAMAGED
  return { zeroMs: view.getFloat64(16, true), ...names, rows: wordsOf(bytes.subarray(start)) }
}

export const isUnreadable = (record: TableRecord | Unreadable): record is Unreadable => 'fault' in record

const DAMAGED: Unreadable = { fault: 'damaged' }

function wordsOf(bytes: Uint8Array): Rows {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}

function readNames(bytes: Uint8Array): Pick<TableRecord, 'scopes' | 'containers'> | undefined {
  try {
    const { scopes, containers } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    const [a, b] = [namesById(scopes), namesById(containers)]
    return a && b && { scopes: a, containers: b }
  } catch {
    return undefined
  }
}

function namesById(value: unknown): ReadonlyMap<number, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const pairs = Object.entries(value).map(([id, name]) => [Number(id), name] as const)
  return pairs.every((pair): pair is readonly [number, string] => typeof pair[1] === 'string')
    ? new Map(pairs)
    : undefined
}
