import { type FileHandle, open } from 'node:fs/promises'
import { MOST_IMPORTED, type ScopeText } from '../../entries/operator.ts'
import { OnehopError } from '../../errors.ts'
import { encodeRecord } from '../../table/record.ts'
import { makeRows, ROW_WORDS, type Rows, sliceRows, writeEntry } from '../../table/rows.ts'
import { askDaemon, type DaemonOptions } from '../ask.ts'
import type { CliContext } from '../context.ts'
import { LineReader } from './line-reader.ts'
import { Progress } from './progress.ts'

const MOST_FAULTS = 10
const PATIENCE_MS = 60_000

/** All lines of a file into the table, or none: what is wrong is named by its line before the daemon hears of anything. */
export async function importEntries(
  options: DaemonOptions,
  file: string,
  context: CliContext,
): Promise<number> {
  const scopes = (await askDaemon(options, '/v1/table/scopes')) as readonly ScopeText[]
  const { rows, names, zeroMs } = await readEntries(file, scopes, context, 'nothing was imported')
  const record = encodeRecord(rows, names, zeroMs)
  const answer = await askDaemon(options, '/v1/table/import', record, PATIENCE_MS)
  return (answer as { imported: number }).imported
}

/**
 * The entries of an export, for scopes that are known; their numbers are those of `names`. Throws E_INPUT that names each
 * wrong line, and what that leads to.
 */
export async function readEntries(
  file: string,
  scopes: readonly ScopeText[],
  context: CliContext,
  consequence: string,
) {
  const { faults, wrong, ...record } = await readFile(file, new LineReader(scopes), context)
  if (wrong === 0) return record
  const shown = faults.map((fault) => `${file}:${fault}`)
  const more = wrong > faults.length ? [`and ${wrong - faults.length} lines more`] : []
  throw new OnehopError('E_INPUT', [...shown, ...more, consequence].join('\n'))
}

async function readFile(path: string, reader: LineReader, { stderr }: CliContext) {
  const file = await openFile(path)
  const progress = new Progress(stderr, 'reading', (await file.stat()).size)
  const rows = new GrowingRows()
  const faults: string[] = []
  let wrong = 0
  let number = 0
  let bytes = 0
  try {
    for await (const line of file.readLines()) {
      number++
      bytes += line.length + 1
      progress.show(bytes)
      if (line === '' || reader.takesHeader(line)) continue
      const entry = reader.read(line)
      if (typeof entry !== 'string') {
        if (wrong === 0) rows.add(entry)
      } else if (wrong++ < MOST_FAULTS) faults.push(`${number}: ${entry}`)
    }
  } finally {
    progress.end()
    await file.close()
  }
  return { rows: rows.written(), faults, wrong, names: reader.names, zeroMs: reader.zeroMs }
}

/** A regular file: what else could be read might fail in the middle of a line. */
async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new OnehopError('E_INPUT', `${path}: ${cause.syscall}: ${cause.code}`, { cause })
  })
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new OnehopError('E_INPUT', `${path}: expected a regular file`)
}

class GrowingRows {
  #rows: Rows = makeRows(4096)
  #count = 0

  add(entry: Parameters<typeof writeEntry>[2]): void {
    if (this.#count === MOST_IMPORTED)
      throw new OnehopError('E_INPUT', `more than ${MOST_IMPORTED} rows; expected at most that many at once`)
    if (this.#rows.length === this.#count * ROW_WORDS) {
      const grown = makeRows(this.#count * 2)
      grown.set(this.#rows)
      this.#rows = grown
    }
    writeEntry(this.#rows, this.#count++, entry)
  }

  written(): Rows {
    return sliceRows(this.#rows, 0, this.#count)
  }
}
