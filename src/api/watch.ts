import { z } from 'zod'
import { VERDICTS } from '../pipeline/verdict.ts'
import { route } from './route.ts'

export const CAPTURE_TYPE = 'application/x-pcapng'
export const TRACE_TYPE = 'application/x-ndjson'

const whole = (least: number, most: number, otherwise: number) => {
  const expected = `a whole number from ${least} to ${most}`
  return z.coerce.number(expected).int(expected).min(least, expected).max(most, expected).default(otherwise)
}

/** Which packets, and how many of them. */
const query = z.strictObject({
  service: z.string('a name').optional().describe('Packets of this service'),
  container: z.string('a name').optional().describe('to or from this container'),
  source: z
    .string('an address or a prefix such as 198.51.100.0/24')
    .optional()
    .describe('of these clients: an address or a prefix'),
  verdict: z.enum(VERDICTS, VERDICTS.join(', ')).optional(),
  reason: z.string('a reason').optional(),
  snap: whole(128, 65_575, 65_575).describe('Bytes kept of each packet at most'),
  perSecond: whole(1, 50_000, 10_000).describe('Packets a second at most; more are counted as lost'),
  maxPackets: whole(1, 1_000_000_000, 1_000_000_000).describe('Ends after so many'),
  maxBytes: whole(1_000, 100_000_000_000, 100_000_000).describe('Ends before it would be larger'),
  seconds: whole(1, 86_400, 3_600).describe('Ends after so long'),
})

/** Both answer as packets come. */
export const watchRoutes = [
  route({
    method: 'GET',
    path: '/v1/capture',
    summary: 'Packets as they arrive and as they leave, as they come',
    query,
    answer: { type: CAPTURE_TYPE, description: 'A pcapng file' },
    handle: ({ query: request }, { watch }) => ({ content: watch.capture(request) }),
  }),
  route({
    method: 'GET',
    path: '/v1/trace',
    summary: 'What happens to packets, as they come',
    query,
    answer: { type: TRACE_TYPE, description: 'A line a packet, as JSON; the first says that it has begun' },
    handle: ({ query: request }, { watch }) => ({ content: watch.trace(request) }),
  }),
]
