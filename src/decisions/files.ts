import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Address } from '../address.ts'
import { OnehopError } from '../errors.ts'
import { History } from './history.ts'
import { decodeLogged, type Logged } from './record.ts'

/** A file takes at least a block of the disk. */
const LEAST_BYTES = 4_096
const FILES = 16

interface Segment {
  readonly name: string
  bytes: number
}

/**
 * The log's files, oldest first: `1.log`, `2.log` … A daemon begins one of its own, so that nothing is ever written behind what a
 * crash left half-written; a full one makes way for the next, and the oldest go when all together were larger than `mostBytes`.
 */
export class LogFiles {
  readonly #folder: string
  readonly #mostBytes: number
  #segments: Segment[] | undefined
  #file: FileHandle | undefined

  constructor(folder: string, mostBytes: number) {
    this.#folder = folder
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return (this.#segments ?? []).reduce((sum, { bytes }) => sum + Math.max(bytes, LEAST_BYTES), 0)
  }

  /** Whether what is written next begins a file, and wants to be understood without those before. */
  get isAtBegin(): boolean {
    return this.#wantsFile || this.#segments!.at(-1)!.bytes === 0
  }

  get #wantsFile(): boolean {
    return this.#file === undefined || this.#segments!.at(-1)!.bytes >= this.#mostBytes / FILES
  }

  /** Where nothing stands yet; throws what the system says, and the same may be written again then. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#wantsFile) await this.#begin()
    const segment = this.#segments!.at(-1)!
    await this.#makeRoom(bytes.length)
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file!.write(bytes, done, bytes.length - done, segment.bytes + done)
      done += bytesWritten
    }
    await this.#file!.datasync()
    segment.bytes += bytes.length
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #begin(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const segments = this.#segments ?? (await segmentsIn(this.#folder))
    const name = `${numberOf(segments.at(-1)?.name ?? '0') + 1}.log`
    const file = await open(join(this.#folder, name), 'wx', 0o600)
    await this.close()
    this.#file = file
    this.#segments = [...segments, { name, bytes: 0 }]
    await syncFolder(this.#folder)
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.#segments!.length > 1 && this.bytes + bytes > this.#mostBytes) {
      await rm(join(this.#folder, this.#segments![0]!.name), { force: true })
      this.#segments!.shift()
    }
  }
}

/** All that is in the files of a folder, oldest first. Throws what the system says of the folder. */
export async function* readLog(folder: string): AsyncGenerator<Logged | 'damaged'> {
  for (const { name } of await segmentsIn(folder)) {
    const bytes = await readFile(join(folder, name)).catch(ignoreGone)
    if (bytes !== undefined) yield* decodeLogged(bytes)
  }
}

/** What there is to say of a source at a moment. Throws E_SYSTEM for a folder that cannot be read. */
export async function readHistory(
  folder: string,
  { source, atMs }: { readonly source: Address; readonly atMs: number },
): Promise<History> {
  const history = new History(source, atMs)
  try {
    for await (const logged of readLog(folder)) history.add(logged)
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_SYSTEM', `${folder}: ${syscall}: ${code}; expected the log of decisions`, {
      cause,
    })
  }
  return history
}

/** The oldest may go while they are read. */
function ignoreGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

async function segmentsIn(folder: string): Promise<Segment[]> {
  const names = (await readdir(folder)).filter((name) => /^[1-9][0-9]{0,14}\.log$/.test(name))
  const sorted = names.sort((a, b) => numberOf(a) - numberOf(b))
  return await Promise.all(
    sorted.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })),
  )
}

const numberOf = (name: string): number => Number.parseInt(name, 10)

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
