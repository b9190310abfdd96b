import { createWriteStream } from 'node:fs'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Filter } from '../../entries/filter.ts'
import { OnehopError } from '../../errors.ts'
import { rowCount } from '../../table/rows.ts'
import { askDaemon, type DaemonOptions } from '../ask.ts'
import { type CliContext, print } from '../context.ts'
import { cellsIn, csvLine, FIELDS, jsonLine } from './entry-text.ts'
import { pages } from './pages.ts'
import { Progress } from './progress.ts'

export type Format = 'csv' | 'json'

/** The entries that a filter lets through as lines, never more than a page of them in memory. */
export async function exportEntries(
  options: DaemonOptions,
  filter: Filter,
  format: Format,
  file: string | undefined,
  context: CliContext,
): Promise<void> {
  const { table } = (await askDaemon(options, '/v1/status')) as { table: { entries: number } }
  const progress = new Progress(context.stderr, 'exporting', table.entries)
  const output = file === undefined ? context.stdout : openFile(file)
  const line = format === 'csv' ? csvLine : jsonLine
  try {
    if (format === 'csv') await write(output, csvLine(FIELDS), file)
    let done = 0
    for await (const record of pages(options, filter)) {
      let text = ''
      for (const cells of cellsIn(record)) text += line(cells)
      await write(output, text, file)
      done += rowCount(record.rows)
      progress.show(done)
    }
    if (file !== undefined) await finished(output.end())
  } finally {
    progress.end()
  }
}

/** Whatever fails is told to who writes. */
function openFile(path: string): Writable {
  return createWriteStream(path, { mode: 0o600 }).on('error', () => {})
}

async function write(output: Writable, text: string, file: string | undefined): Promise<void> {
  if (file === undefined) return print(output, text)
  await new Promise<void>((resolve, reject) => {
    output.write(text, (error) => (error ? reject(error) : resolve()))
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new OnehopError('E_SYSTEM', `${file}: ${cause.syscall ?? 'write'}: ${cause.code}`, { cause })
  })
}
