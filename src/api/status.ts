import { z } from 'zod'
import { REASONS, VERDICTS } from '../pipeline/verdict.ts'
import { route } from './route.ts'
import { bothWays, containerState, count, listOf, texts, traffic } from './schemas.ts'

/** What `GET /v1/status` answers and `onehop status` shows. Packets and bytes count since the daemon's start. */

const service = z
  .object({
    name: z.string(),
    addresses: texts,
    ports: texts,
    containers: texts,
    entries: count.describe('Sources remembered now'),
    quota: count.optional().describe('and at most; missing where only the size of the table counts'),
    ...bothWays,
  })
  .meta({ id: 'ServiceStatus' })

const container = z
  .object({ name: z.string(), addresses: texts, state: containerState, ...bothWays })
  .meta({ id: 'ContainerStatus' })

const source = z
  .object({
    source: z.string().describe('What it follows'),
    state: z
      .enum(['starting', 'ok', 'failing'])
      .describe('starting: nothing heard yet; failing: the last list it gave holds'),
    sinceSeconds: count,
    lastSeconds: count.optional().describe('How long ago it last gave a list; missing: never'),
    containers: count,
    error: z.string().optional().describe('Why it fails'),
  })
  .meta({ id: 'SourceStatus' })

const table = z
  .object({
    entries: count.describe('Sources remembered now'),
    capacity: count,
    probation: count.describe('Sources ever on probation'),
    made: count.describe('Sources ever remembered for what they sent'),
    moved: count.describe('Entries ever moved to another container'),
    full: count.describe('Sources ever refused because the table was full'),
    overQuota: count.describe('The same because of a quota'),
    expired: count,
  })
  .meta({ id: 'TableStatus' })

const store = z
  .union([
    z.object({ state: z.literal('off') }),
    z.object({
      path: z.string(),
      state: z
        .enum(['current', 'failing'])
        .describe('current: at most a second behind; failing: packets go on, and it is tried again'),
      error: z.string().optional(),
      failingSeconds: count.optional(),
      restored: count.describe('At the start, as the next two'),
      dropped: count,
      noRoom: count,
      setAside: z.string().optional().describe('Where files are that could not be read at the start'),
    }),
  ])
  .meta({ id: 'StoreStatus' })

const decisions = z
  .union([
    z.object({ state: z.literal('off') }),
    z.object({
      path: z.string(),
      state: z.enum(['current', 'failing']).describe('failing: packets go on, and it is tried again'),
      error: z.string().optional(),
      bytes: count.describe('On disk'),
      lost: count.describe('Changes that could not be logged'),
    }),
  ])
  .meta({ id: 'DecisionLogStatus' })

const fastpath = z.object({
  state: z.enum(['on', 'off', 'unavailable']),
  problem: z.string().optional().describe('Why it is unavailable'),
  uplinks: count.describe('Interfaces where it meets requests'),
  ports: count.describe('Interfaces where it meets answers'),
  sources: count.describe('Served by it, as of some seconds ago'),
  full: count.describe('How often one had to stay on the slow path for want of room'),
})

const io = z
  .object({
    tunReadErrors: count,
    tunWriteErrors: count,
    bridgeWrites: count.describe('Packets to containers, written to a bridge'),
    bridgeWriteErrors: count,
    tunWrites: count.describe('The same through the TUN: no neighbour resolved, or the way too narrow'),
    joined: count.describe(
      'UDP datagrams that left together with one before them of their flow, by the same write',
    ),
    tunEmptied: count.describe('How often a queue of the TUN was found empty: while none is, packets wait'),
    tunQueueLength: count.describe('Packets that fit into each queue of the TUN'),
    tunDropped: count.describe(
      'What the kernel had for the TUN and dropped: its queue was full, or nobody read it',
    ),
    errors: listOf(
      z.object({ call: z.enum(['read TUN', 'write TUN', 'write bridge']), error: z.string(), count }),
    ).describe("The failed reads and writes, by errno's name"),
    neighboursResolved: count,
    neighboursWanted: count,
    queues: count.describe('Packet threads at work'),
    offload: texts.describe('What the kernel leaves to onehop: csum, tso4, tso6, tso-ecn, uso4, uso6'),
    fastpath,
    selfCheck: z
      .object({
        every: count.describe('One packet in so many has its checksums recomputed; 0: none'),
        checked: count,
        wrong: count.describe('Left with a checksum that they did not come with: a defect; see /v1/drops'),
      })
      .describe('With the fast path, one in so many of its packets takes the slow path to be checked there'),
  })
  .meta({ id: 'IoStatus' })

const latency = z
  .object({
    direction: z.enum(['request', 'answer', 'other']).describe('To a container, from one, or neither'),
    packets: count.describe('Measured: one in 64 on the slow path'),
    p50Us: z.number().min(0).optional().describe('Half of them took no longer, in microseconds'),
    p99Us: z.number().min(0).optional().describe('99 % of them'),
  })
  .meta({ id: 'LatencyStatus' })

const status = z
  .object({
    version: z.string(),
    pid: count,
    upSeconds: count,
    tun: z.string(),
    config: z
      .object({
        from: z
          .enum(['file', 'flags', 'applied'])
          .describe('applied: by POST /v1/apply, in force until a reload or restart'),
        file: z.string().optional().describe('What a reload reads'),
      })
      .describe('Where the config in force came from'),
    bridges: texts,
    routes: z
      .enum(['made', 'left'])
      .describe('Whether the daemon made routes, rules, sysctls and nft itself, or left them to the user'),
    received: traffic,
    verdicts: listOf(
      z.object({
        verdict: z.enum(VERDICTS),
        reason: z.enum(REASONS.map(([, reason]) => reason)),
        packets: count,
        bytes: count,
      }),
    ).describe('Only what occurred; their sum is `received`'),
    table,
    store,
    decisions,
    io,
    latency: listOf(latency).describe("From a packet's read to its write"),
    services: listOf(service),
    containers: listOf(container),
    sources: listOf(source),
    problems: texts.describe('What could not be served as asked, and why'),
  })
  .meta({ id: 'Status' })

export type Status = z.output<typeof status>
/** The same, of which the lists are made when somebody reads them. */
export type LiveStatus = Omit<Status, 'services' | 'containers'> & {
  readonly services: Iterable<ServiceStatus>
  readonly containers: Iterable<ContainerStatus>
}
export type ServiceStatus = z.output<typeof service>
export type ContainerStatus = z.output<typeof container>

export const statusRoute = route({
  method: 'GET',
  path: '/v1/status',
  summary: 'What the daemon serves and has counted',
  answer: status,
  handle: (_, source) => source.status(),
})
