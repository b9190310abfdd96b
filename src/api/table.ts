import { z } from 'zod'
import { mapping } from '../config/values.ts'
import { MOST_IMPORTED } from '../entries/operator.ts'
import { OnehopError } from '../errors.ts'
import { ROW_BYTES } from '../table/rows.ts'
import { route } from './route.ts'
import { count, listOf, texts } from './schemas.ts'

/** Rows cross as they are in memory (table/record.ts): a million of them as JSON would take the daemon seconds. */
export const RECORD_TYPE = 'application/octet-stream'
export const NEXT_HEADER = 'onehop-next'

/** All rows that may be imported at once, and their names. */
const LARGEST_RECORD_BYTES = MOST_IMPORTED * ROW_BYTES + 16 * 1024 * 1024

const NAME = 'a name'
const PREFIX = 'an address or a prefix such as 198.51.100.0/24'
const service = z.string(NAME)
const container = z.string(NAME)
const source = z.string(PREFIX)
const filter = {
  service: service.optional().describe('Entries of this service, in all its scopes'),
  container: container.optional().describe('of this container'),
  prefix: source.optional().describe('and under this prefix'),
}
const CURSOR = 'a whole number from 0 on'
const cursor = z.int(CURSOR).min(0, CURSOR).describe('0, or what the page before named as next')

const time = z.iso.datetime()
const entry = z
  .object({
    scope: z.string(),
    source: z.string(),
    container: z.string(),
    origin: z.string(),
    since: time,
    seen: time,
    packets: count,
    bytes: count,
  })
  .meta({ id: 'Entry' })
const operatorPin = z
  .object({ service: z.string(), source: z.string(), container: z.string() })
  .meta({ id: 'Pin' })
const scope = z
  .object({
    scope: z.string(),
    name: z.string(),
    containers: texts,
    prefix4: count.max(32).describe('How much of an IPv4 source counts'),
    prefix6: count.max(128).describe('How much of an IPv6 source counts'),
  })
  .meta({ id: 'Scope', description: 'What entries of a scope may say' })
const pins = listOf(operatorPin)

export const tableRoutes = [
  route({
    method: 'GET',
    path: '/v1/table/scopes',
    summary: 'What shares entries, and which containers they may name',
    answer: listOf(scope),
    handle: (_, { table }) => table.scopes(),
  }),
  route({
    method: 'GET',
    path: '/v1/table/sources/:source',
    summary: 'What is known of a client, in every service',
    params: z.strictObject({ source: z.string('an address') }),
    answer: z.object({
      entries: listOf(entry),
      pins: listOf(
        z.object({
          ...operatorPin.shape,
          container: z.string().describe('Several, with spaces between, share the source'),
          by: z.enum(['config', 'operator']),
        }),
      ).describe('The longest that covers it in each service'),
    }),
    handle: ({ params }, { table }) => table.source(params.source),
  }),
  route({
    method: 'POST',
    path: '/v1/table/rows',
    summary: 'A page of entries, as rows',
    body: mapping({ cursor, ...filter }),
    answer: {
      type: RECORD_TYPE,
      description: 'Rows with the names they need, as src/table/record.ts describes',
      headers: { [NEXT_HEADER]: 'The cursor of the next page; 0: this was the last' },
    },
    handle: ({ body: { cursor, ...chosen } }, { table }) => {
      const { next, record } = table.page(cursor, chosen)
      return { content: record, headers: { [NEXT_HEADER]: String(next) } }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/table/import',
    summary: 'Make or replace entries: all of them or none',
    body: { type: RECORD_TYPE, description: 'Rows as a page has them', mostBytes: LARGEST_RECORD_BYTES },
    answer: z.object({ imported: count }),
    handle: async ({ body }, { table }) => ({ imported: await table.import(body) }),
  }),
  route({
    method: 'POST',
    path: '/v1/table/forget',
    summary: 'Remove entries: their sources are new at their next packet',
    body: mapping({ all: z.boolean('true or false').optional(), ...filter }),
    answer: z.object({ forgotten: count }),
    handle: async ({ body: { all, ...chosen } }, { table }) => {
      if (all !== true && Object.values(chosen).every((value) => value === undefined))
        throw new OnehopError('E_USAGE', 'nothing chosen; expected a service, container or prefix, or all')
      return { forgotten: await table.forget(chosen) }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/table/pins',
    summary: "The operator's pins",
    answer: pins,
    handle: (_, { table }) => table.pins(),
  }),
  route({
    method: 'POST',
    path: '/v1/table/pin',
    summary: 'Send a source or prefix of a service to a container',
    body: mapping({ service, source, container }),
    answer: pins,
    handle: async ({ body }, { table }) => {
      await table.pin(body)
      return table.pins()
    },
  }),
  route({
    method: 'POST',
    path: '/v1/table/unpin',
    summary: "Take back an operator's pin",
    body: mapping({ service, source }),
    answer: pins,
    handle: async ({ body }, { table }) => {
      await table.unpin(body.service, body.source)
      return table.pins()
    },
  }),
]
