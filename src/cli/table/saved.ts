import type { Config } from '../../config/config.ts'
import { scopeTexts } from '../../entries/operator.ts'
import type { TableClock } from '../../entries/translate.ts'
import type { Identities } from '../../pipeline/identities.ts'
import { containerOf, makeRows, ROW_WORDS, type Rows, rowCount, scopeOf, seenOf } from '../../table/rows.ts'
import type { CliContext } from '../context.ts'
import { readEntries } from './import.ts'

/** A table as `onehop table export` saved it, in a config's numbers. */
export interface SavedTable {
  readonly rows: Rows
  /** Now is when the last of its sources was seen: so it was when it was saved, or a little earlier. */
  readonly clock: TableClock
}

/** Without a file: an empty table, now. */
export async function readSavedTable(
  file: string | undefined,
  config: Config,
  identities: Identities,
  context: CliContext,
): Promise<SavedTable> {
  const now = Date.now()
  if (file === undefined) return { rows: makeRows(0), clock: { nowSeconds: () => 0, zeroMs: () => now } }
  const { rows, names, zeroMs } = await readEntries(
    file,
    [...scopeTexts(config)],
    context,
    'expected the table of that config',
  )
  let newest = -(2 ** 31)
  for (let row = 0; row < rowCount(rows); row++) {
    const at = row * ROW_WORDS
    const scope = identities.scope(names.scopeName(scopeOf(rows, row))!)
    const container = identities.container(names.containerName(containerOf(rows, row))!)
    rows[at + 4] = scope * 2 + (rows[at + 4]! & 1)
    rows[at + 5] = rows[at + 5]! - containerOf(rows, row) + container
    newest = Math.max(newest, seenOf(rows, row))
  }
  return { rows, clock: { nowSeconds: () => newest, zeroMs: () => zeroMs } }
}
