import { z } from 'zod'
import { integer } from '../config/values.ts'
import { REASONS, VERDICTS } from '../pipeline/verdict.ts'
import { route } from './route.ts'
import { containerState, count, listOf } from './schemas.ts'

/** What `GET /v1/rates` answers and `onehop top` shows: counts of the last second, each a second's. */

export const SORTS = ['packets', 'bytes', 'entries', 'name'] as const
export type Sort = (typeof SORTS)[number]

export interface RatesSource {
  /** The first `limit` of each kind. */
  read(sort: Sort, limit: number): Promise<Rates>
}

const rate = z.number().min(0)
const traffic = { packets: rate, bytes: rate }
const bothWays = { in: z.object(traffic).describe('Requests'), out: z.object(traffic).describe('Answers') }

const service = z
  .object({ name: z.string(), entries: count.describe('Sources remembered now'), ...bothWays })
  .meta({ id: 'ServiceRates' })

const container = z
  .object({
    name: z.string(),
    state: containerState,
    share: rate.max(1).describe('Its part of all packets to containers'),
    ...bothWays,
  })
  .meta({ id: 'ContainerRates' })

const source = z
  .object({
    source: z.string(),
    scope: z.string().describe('What shares the entry, as onehop table names it'),
    container: z.string(),
    ...traffic,
  })
  .meta({ id: 'SourceRates' })

const verdict = z
  .object({
    verdict: z.enum(VERDICTS),
    reason: z.enum(REASONS.map(([, reason]) => reason)),
    ...traffic,
  })
  .meta({ id: 'VerdictRates' })

const table = z
  .object({
    entries: count.describe('Sources remembered now'),
    capacity: count,
    probation: rate,
    moved: rate,
    full: rate,
    overQuota: rate,
    expired: rate,
  })
  .meta({ id: 'TableRates' })

const rates = z
  .object({
    version: z.string(),
    tun: z.string(),
    upSeconds: count,
    intervalMs: count.describe('The time that these were counted in; hot sources have their own'),
    received: z.object(traffic),
    history: listOf(rate).describe('Packets received, second by second, the latest last'),
    verdicts: listOf(verdict).describe('Only what occurs'),
    table,
    fastpath: z.object({ state: z.enum(['on', 'off', 'unavailable']), sources: count }),
    problems: count,
    services: z.object({ count, shown: listOf(service) }),
    containers: z.object({
      count,
      states: z.object({ ready: count, draining: count, down: count }),
      shown: listOf(container),
    }),
    sources: z.object({
      isMeasured: z.boolean().describe('false until the table has been walked often enough'),
      intervalMs: count,
      shown: listOf(source).describe('Those that send most, of up to 100'),
    }),
  })
  .meta({ id: 'Rates' })

export type Rates = z.output<typeof rates>
export type ServiceRates = z.output<typeof service>
export type ContainerRates = z.output<typeof container>

const MOST = 1_000
const LIMIT = `a whole number from 1 to ${MOST}`

export const ratesRoute = route({
  method: 'GET',
  path: '/v1/rates',
  summary: 'What passes a second. The first answer takes a second, for there must be two readings',
  query: z.strictObject({
    sort: z.enum(SORTS, SORTS.join(', ')).default('packets'),
    limit: z.coerce.number(LIMIT).pipe(integer(1, MOST)).default(50),
  }),
  answer: rates,
  handle: ({ query }, { rates }) => rates.read(query.sort, query.limit),
})
