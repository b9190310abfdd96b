import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { decodeRecord, isUnreadable, RECORD_VERSION } from '../table/record.ts'

/**
 * The store's files: LMDB environments whose values are records under a seal, in the order of their keys. `7.mdb` began
 * with the whole table as it was, page by page, and goes on with every change since; `8.part.mdb` is still at its pages.
 * When those are all there it becomes `8.mdb`, and the older ones go. So a file is only ever appended to, nothing is
 * freed in it, and what a crash leaves half-written only adds to what came before.
 *
 * Each commit is on the disk when it returns (LMDB's default: data, then the meta page), and so survives power loss.
 */
export class StoreFiles {
  readonly #folder: string
  #file: StoreFile | undefined

  /** Makes the folder. Throws what the system says. */
  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
  }

  /** Every record, oldest first, from the newest whole table on. Throws StoreFault for what cannot be read. */
  *records(): Iterable<Uint8Array> {
    const names = this.#names()
    for (const name of names.slice(Math.max(0, names.findLastIndex(isWhole)))) {
      yield* recordsOf(join(this.#folder, name))
    }
  }

  /** Begins the next file. `isAfresh`: half-written ones are this daemon's own and of no more use. */
  begin(isAfresh: boolean): void {
    this.#file?.close()
    const names = this.#names()
    if (isAfresh) for (const name of names) if (!isWhole(name)) this.#remove(name)
    this.#file = new StoreFile(join(this.#folder, `${numberOf(names.at(-1) ?? '0') + 1}.part.mdb`))
    syncFolder(this.#folder)
  }

  append(record: Uint8Array): void {
    this.#begun().append(record)
  }

  /** The file begun last holds a whole table: older ones go. */
  complete(): void {
    const file = basename(this.#begun().path)
    const whole = `${numberOf(file)}.mdb`
    renameSync(join(this.#folder, file), join(this.#folder, whole))
    syncFolder(this.#folder)
    for (const name of this.#names()) if (numberOf(name) < numberOf(whole)) this.#remove(name)
  }

  #begun(): StoreFile {
    if (this.#file === undefined) throw new Error('append before begin')
    return this.#file
  }

  /** Oldest first. */
  #names(): string[] {
    return readdirSync(this.#folder)
      .filter((name) => /^[1-9][0-9]{0,14}(\.part)?\.mdb$/.test(name))
      .sort((a, b) => numberOf(a) - numberOf(b))
  }

  #remove(name: string): void {
    for (const suffix of ['', '-lock']) rmSync(join(this.#folder, name + suffix), { force: true })
    rmSync(join(this.#folder, `${numberOf(name)}.part.mdb-lock`), { force: true })
  }
}

/** LMDB's own errors have negative numbers, and all of them mean that a file is not as it should be. */
function* recordsOf(path: string): Iterable<Uint8Array> {
  try {
    const file = new StoreFile(path)
    yield* file.records()
    file.close()
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    throw typeof code === 'number' && code < 0 ? new StoreFault(`${path}: ${message}`) : error
  }
}

const numberOf = (name: string): number => Number.parseInt(name, 10)

const isWhole = (name: string): boolean => !name.includes('.part.')

/** Something in a file that cannot be read; the message names the file. */
export class StoreFault extends Error {}

/** Only addresses: the file grows as it is written to. Room for the largest table and its changes, three times. */
const MAP_BYTES = 2 ** 35
const SEAL_BYTES = 16

class StoreFile {
  readonly path: string
  readonly #db: RootDatabase<Uint8Array, number>
  #nextKey = 1

  constructor(path: string) {
    this.path = path
    this.#db = open<Uint8Array, number>({
      path,
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'uint32',
      mapSize: MAP_BYTES,
      overlappingSync: false,
    })
  }

  *records(): Iterable<Uint8Array> {
    for (const { key, value } of this.#db.getRange({})) {
      const record = value.subarray(SEAL_BYTES)
      const place = `${this.path}: record ${key}`
      if (!sealOf(record).equals(value.subarray(0, SEAL_BYTES)))
        throw new StoreFault(`${place}: damaged (its checksum is another)`)
      const decoded = decodeRecord(record)
      if (isUnreadable(decoded)) throw new StoreFault(`${place}: ${describe(decoded)}`)
      yield record
    }
  }

  append(record: Uint8Array): void {
    const value = Buffer.concat([sealOf(record), record])
    this.#db.transactionSync(() => this.#db.putSync(this.#nextKey++, value))
  }

  close(): void {
    void this.#db.close()
  }
}

const describe = (unreadable: { fault: 'damaged' } | { fault: 'version'; version: number }): string =>
  unreadable.fault === 'damaged'
    ? 'no record'
    : `version ${unreadable.version}, written by a newer onehop; expected ${RECORD_VERSION}`

/** Against damage, not against people: who may write the file may write anything. */
const sealOf = (record: Uint8Array): Buffer =>
  createHash('sha256').update(record).digest().subarray(0, SEAL_BYTES)

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
