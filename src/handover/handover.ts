import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Addon } from '../dataplane/addon.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { TableRecord } from '../table/record.ts'
import { NamesFile, readNames } from './names.ts'
import { bpfFileSystem, isPlace, placeIn, unmountOwn } from './place.ts'

export interface HandoverOptions {
  readonly runDir: string
  readonly tun: string
  readonly addon: Pick<Addon, 'fastPathLeft' | 'fastPathLayout'>
}

/**
 * What a daemon of a TUN leaves to the next one, however it ends: the fast path's maps, pinned in a folder of a bpf file system
 * (native/src/fastpath/adoption.h), and beside it a file with the names of its numbers. The folder's name says which form the maps
 * have, and whose they are.
 */
export class Handover {
  readonly #options: HandoverOptions
  readonly #place: string
  readonly #own: string
  readonly #names: NamesFile
  /** Where this daemon's maps are pinned. */
  readonly folder: string

  private constructor(options: HandoverOptions, place: string) {
    this.#options = options
    this.#place = place
    this.#own = `${options.addon.fastPathLayout}-${randomBytes(4).toString('hex')}`
    this.folder = join(place, this.#own)
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    this.#names = new NamesFile(namesPath(options, this.#own))
  }

  /** Undefined where no bpf file system can be written to. Throws the system's error. */
  static open(options: HandoverOptions): Handover | undefined {
    const fileSystem = bpfFileSystem(options.runDir)
    if (fileSystem === undefined) return undefined
    mkdirSync(options.runDir, { recursive: true, mode: 0o755 })
    return new Handover(options, placeIn(fileSystem, options.runDir, options.tun))
  }

  /** The sources that another daemon of this TUN was serving in the kernel, from the one that did so last. */
  left(zeroMs: number): TableRecord | undefined {
    const { addon } = this.#options
    for (const folder of this.#others()) {
      const names = readNames(namesPath(this.#options, folder))
      if (!folder.startsWith(`${addon.fastPathLayout}-`) || names === undefined) continue
      return { zeroMs, ...names, rows: addon.fastPathLeft(join(this.#place, folder)) }
    }
    return undefined
  }

  /** To be called before the numbers of new names are in use. */
  note(identities: Identities): void {
    this.#names.note(identities)
  }

  /** What others left is taken over, or of no use. */
  settle(): void {
    for (const folder of this.#others()) this.#remove(folder)
  }

  /** There is nothing to leave. */
  close(): void {
    this.#remove(this.#own)
    removeEmpty(this.#place)
  }

  /** The newest first. */
  #others(): readonly string[] {
    const folders = foldersIn(this.#place).filter((name) => name !== this.#own)
    const age = (name: string) => statSync(join(this.#place, name)).mtimeMs
    return folders.toSorted((a, b) => age(b) - age(a))
  }

  #remove(folder: string): void {
    rmSync(join(this.#place, folder), { recursive: true, force: true })
    rmSync(namesPath(this.#options, folder), { force: true })
  }
}

type Whose = Pick<HandoverOptions, 'runDir' | 'tun'>

const namesPath = ({ runDir, tun }: Whose, folder: string): string => join(runDir, `${tun}.${folder}.names`)

/** Takes away whatever daemons of a TUN have left. */
export function clearHandover(whose: Whose): void {
  const { runDir, tun } = whose
  const fileSystem = bpfFileSystem(runDir)
  if (fileSystem === undefined) return
  const place = placeIn(fileSystem, runDir, tun)
  for (const folder of foldersIn(place)) rmSync(namesPath(whose, folder), { force: true })
  rmSync(place, { recursive: true, force: true })
}

/** The file system that a daemon mounted, when no daemon's is left in it. */
export function unmountUnused(runDir: string): void {
  const fileSystem = bpfFileSystem(runDir)
  if (fileSystem !== undefined && !foldersIn(fileSystem).some(isPlace)) unmountOwn(runDir)
}

function foldersIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Whose folder it still is, another daemon's of this TUN, is not taken away. */
function removeEmpty(path: string): void {
  if (foldersIn(path).length === 0) rmSync(path, { recursive: true, force: true })
}
