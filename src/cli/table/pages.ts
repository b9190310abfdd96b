import { NEXT_HEADER } from '../../api/table.ts'
import type { Filter } from '../../entries/filter.ts'
import { OnehopError } from '../../errors.ts'
import { decodeRecord, isUnreadable, type TableRecord } from '../../table/record.ts'
import { askDaemonForBytes, type DaemonOptions } from '../ask.ts'

/** The entries that a filter lets through, page by page as the daemon has them. */
export async function* pages(options: DaemonOptions, filter: Filter): AsyncIterable<TableRecord> {
  let cursor = 0
  do {
    const { bytes, headers, asked } = await askDaemonForBytes(options, '/v1/table/rows', {
      cursor,
      ...filter,
    })
    const record = decodeRecord(bytes)
    cursor = Number(headers[NEXT_HEADER])
    if (isUnreadable(record) || !Number.isInteger(cursor))
      throw new OnehopError('E_DAEMON', `${asked} answers something else than rows; is it of this version?`)
    yield record
  } while (cursor !== 0)
}
