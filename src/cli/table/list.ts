import { quoteValue } from '../../config/issue.ts'
import type { Filter } from '../../entries/filter.ts'
import { OnehopError } from '../../errors.ts'
import type { DaemonOptions } from '../ask.ts'
import { type CliContext, print } from '../context.ts'
import { formatRows } from '../sections.ts'
import { type Cells, cellsIn, FIELDS, jsonLine } from './entry-text.ts'
import { pages } from './pages.ts'

/** Prints entries as they come, columns of a page as wide as the page needs. */
export async function listEntries(
  options: DaemonOptions,
  filter: Filter,
  limitText: string | undefined,
  isJson: boolean,
  { stdout }: CliContext,
): Promise<void> {
  let left = readLimit(limitText)
  let header: readonly string[][] = isJson ? [] : [[...FIELDS]]
  for await (const record of pages(options, filter)) {
    const page = [...cellsIn(record)].slice(0, left)
    if (page.length === 0) continue
    left -= page.length
    await print(stdout, isJson ? page.map(jsonLine).join('') : formatRows([...header, ...page.map(textsOf)]))
    header = []
    if (left === 0) return
  }
  if (header.length > 0) await print(stdout, formatRows(header))
}

const textsOf = (cells: Cells): string[] => cells.map(String)

function readLimit(text: string | undefined): number {
  if (text === undefined) return Number.MAX_SAFE_INTEGER
  if (!/^[1-9][0-9]{0,9}$/.test(text))
    throw new OnehopError('E_USAGE', `--limit ${quoteValue(text)}; expected a whole number from 1 on`)
  return Number(text)
}
