import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { MOST_IMPORTED, type TableOperator } from '../entries/operator.ts'
import { OnehopError } from '../errors.ts'
import { ROW_BYTES } from '../table/rows.ts'
import { readBody } from './body.ts'

/** What may be asked of the table. */
export type TableSource = Pick<
  TableOperator,
  'page' | 'source' | 'forget' | 'import' | 'scopes' | 'pins' | 'pin' | 'unpin'
>

/** Rows cross as they are in memory (table/record.ts): a million of them as JSON would take the daemon seconds. */
export const RECORD_TYPE = 'application/octet-stream'
export const NEXT_HEADER = 'onehop-next'

/** All rows that may be imported at once, and their names. */
const LARGEST_RECORD_BYTES = MOST_IMPORTED * ROW_BYTES + 16 * 1024 * 1024

const text = (name: string) => z.string(`${name}: expected text`)
const filter = {
  service: text('service').optional(),
  container: text('container').optional(),
  prefix: text('prefix').optional(),
}
const CURSOR = 'cursor: expected a whole number from 0 on'
const page = z.strictObject({ cursor: z.int(CURSOR).min(0, CURSOR), ...filter })
const forget = z.strictObject({ all: z.boolean('all: expected true or false').optional(), ...filter })
const pin = z.strictObject({ service: text('service'), source: text('source'), container: text('container') })
const unpin = z.strictObject({ service: text('service'), source: text('source') })

/** Adds what is under `/v1/table`; what cannot be done answers 400 and why. */
export function serveTable(server: FastifyInstance, table: TableSource): void {
  server.addContentTypeParser(RECORD_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  const answer = async (reply: FastifyReply, act: () => unknown) => {
    try {
      return reply.send(await act())
    } catch (error) {
      if (!(error instanceof OnehopError)) throw error
      return reply.code(400).send({ message: error.message })
    }
  }
  server.get('/v1/table/scopes', () => table.scopes())
  server.get('/v1/table/pins', () => table.pins())
  server.get<{ Params: { source: string } }>('/v1/table/sources/:source', ({ params }, reply) =>
    answer(reply, () => table.source(params.source)),
  )
  server.post('/v1/table/rows', (request, reply) =>
    answer(reply, () => {
      const { cursor, ...chosen } = readBody(page, request.body)
      const { next, record } = table.page(cursor, chosen)
      reply.header(NEXT_HEADER, String(next)).type(RECORD_TYPE)
      return Buffer.from(record.buffer, record.byteOffset, record.byteLength)
    }),
  )
  server.post('/v1/table/forget', (request, reply) =>
    answer(reply, async () => {
      const { all, ...chosen } = readBody(forget, request.body)
      if (all !== true && Object.values(chosen).every((value) => value === undefined))
        throw new OnehopError('E_USAGE', 'nothing chosen; expected a service, container or prefix, or all')
      return { forgotten: await table.forget(chosen) }
    }),
  )
  server.post('/v1/table/import', { bodyLimit: LARGEST_RECORD_BYTES }, (request, reply) =>
    answer(reply, () => {
      if (!Buffer.isBuffer(request.body)) throw new OnehopError('E_USAGE', `expected ${RECORD_TYPE}`)
      return { imported: table.import(request.body) }
    }),
  )
  server.post('/v1/table/pin', (request, reply) =>
    answer(reply, async () => {
      await table.pin(readBody(pin, request.body))
      return table.pins()
    }),
  )
  server.post('/v1/table/unpin', (request, reply) =>
    answer(reply, async () => {
      const { service, source } = readBody(unpin, request.body)
      await table.unpin(service, source)
      return table.pins()
    }),
  )
}
