import { z } from 'zod'
import { REASONS, VERDICTS } from '../pipeline/verdict.ts'
import { route } from './route.ts'
import { count, listOf } from './schemas.ts'

/** What `GET /v1/drops` answers and `onehop drops` shows. */

export interface DropsSource {
  read(reason: string | undefined): Drops
}

const seen = {
  packet: z.string().describe('in a line'),
  length: count,
  isPartial: z.boolean().describe('Its checksum was left to a device'),
  bytes: z.string().describe('The first 256, in hexadecimal digits'),
}
const seenPacket = z.object(seen).meta({ id: 'SeenPacket' })

const last = z
  .object({
    time: z.iso.datetime().describe('When it was dropped, to some milliseconds; one in 100 ms is kept'),
    direction: z
      .enum(['none', 'request', 'answer'])
      .describe('request: to a public address; answer: from elsewhere; none: it cannot be read'),
    service: z.string().optional().describe('That it was for, or an answer of'),
    ...seen,
  })
  .meta({ id: 'DroppedPacket' })

const decision = { verdict: z.enum(VERDICTS), reason: z.enum(REASONS.map(([, one]) => one)) }

const reason = z
  .object({
    ...decision,
    packets: count,
    bytes: count,
    perSecond: z.number().min(0).describe('Packets, in the last minute'),
    meaning: z.string(),
    remedy: z.string(),
    last,
  })
  .meta({ id: 'DropReason' })

const selfCheck = z
  .object({
    every: count.describe('One packet in so many; 0: none'),
    checked: count,
    wrong: count.describe('Left with a checksum that they did not come with: a defect'),
    last: z
      .object({
        time: z.iso.datetime(),
        fault: z
          .enum(['none', 'header', 'transport', 'quoted'])
          .describe('quoted: of the packet that an ICMP error quotes'),
        ...decision,
        service: z.string().optional(),
        container: z.string().optional(),
        arrived: seenPacket,
        left: seenPacket,
      })
      .optional(),
  })
  .meta({ id: 'SelfCheck' })

const drops = z.object({ tun: z.string(), reasons: listOf(reason), selfCheck }).meta({ id: 'Drops' })

export type Drops = z.output<typeof drops>
export type SelfCheck = z.output<typeof selfCheck>
export type DropReason = z.output<typeof reason>

export const dropsRoute = route({
  method: 'GET',
  path: '/v1/drops',
  summary: 'Why packets were dropped or refused, how many, and the last of each reason',
  query: z.strictObject({ reason: z.string('a reason').optional().describe('Only this one') }),
  answer: drops,
  handle: ({ query }, { drops: source }) => source.read(query.reason),
})
