import { z } from 'zod'
import { parseAddress } from '../config/address.ts'
import { integer, mapping, text } from '../config/values.ts'
import type { PastExplanation, PastQuestion } from '../decisions/past.ts'
import type { Question } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { ALGORITHMS } from '../pipeline/snapshot.ts'
import { route } from './route.ts'
import { containerState, count, listOf, texts } from './schemas.ts'

export interface ExplainSource {
  /** Throws E_USAGE for a service that is not there, or none to ask. */
  explain(question: Question): Promise<Explanation>
  /** Throws E_USAGE where nothing is logged. */
  explainPast(question: PastQuestion): Promise<PastExplanation>
}

const pin = z.object({
  source: z.string(),
  containers: texts,
  by: z.enum(['config', 'file', 'operator']),
  result: z
    .enum(['decides', 'cannot', 'shorter'])
    .describe('cannot: none of its containers can take the source; shorter: a longer one has decided'),
})

const entry = z.object({
  container: z.string(),
  place: z.enum(['table', 'probation']).describe('probation: it has not proved yet that it exists'),
  origin: z.enum(['pinned', 'assigned', 'restored']),
  since: z.string(),
  seen: z.string(),
  ageSeconds: count,
  unseenSeconds: count,
  idleSeconds: count.describe('How long it may stay unseen'),
  packets: count,
  bytes: count,
  holds: z
    .enum(['yes', 'idle', 'gone', 'down', 'family'])
    .describe('Whether the source may stay at its container, or why not'),
})

const algorithm = z.object({
  name: z.enum(ALGORITHMS),
  candidates: listOf(
    z.object({
      container: z.string(),
      weight: count,
      share: z.number().min(0).max(1).describe('Of new sources'),
      sources: count.optional().describe('That lead to it now, for algorithms that go by them'),
    }),
  ),
  rows: listOf(z.object({ row: count, of: count, container: z.string() })).describe('That it looks at'),
  picks: z.string().optional().describe('Whom it would choose, were there no pin and no entry'),
})

const container = z.object({
  name: z.string(),
  address: z.string().optional(),
  state: containerState,
  by: z.string().describe('Whose word the state is'),
  sinceSeconds: count.optional(),
  weight: count,
  verdict: z
    .enum(['yes', 'denied', 'limit', 'down', 'family', 'pin', 'entry', 'draining', 'weight', 'algorithm'])
    .describe('yes: it gets the source; else what keeps it from that, or leads to another'),
})

const way = z.object({
  by: z
    .enum(['bridge', 'kernel'])
    .describe('A frame on a bridge, or back into the TUN for the kernel to route'),
  interface: z.string().optional(),
  mac: z.string().optional(),
  via: z.string().optional(),
  fastpath: z.enum(['on', 'off', 'unavailable']),
})

const service = z.object({
  service: z.string(),
  ways: texts.describe('Public ends that all lead where this says'),
  knownAs: z.object({ scope: z.string(), source: z.string() }),
  decision: z.object({
    reason: z.enum([
      'pinned',
      'known',
      'chosen',
      'unpinned',
      'no-container',
      'denied',
      'source-limit',
      'prefix-limit',
    ]),
    container: z.string().optional(),
  }),
  admission: z
    .object({ prefix: z.string().optional(), isAllowed: z.boolean() })
    .optional()
    .describe('By the longest prefix of the allow and deny lists, where there are some'),
  pins: listOf(pin).describe('All that cover the source, longest first'),
  entry: entry.optional(),
  algorithm,
  containers: listOf(container),
  rewrites: listOf(z.object({ from: z.string(), to: z.string() })),
  answers: z.enum(['endpoint', 'flow']).describe('What tells the way of the answer'),
  route: way.optional(),
})

const explanation = z
  .object({
    source: z.string(),
    at: z.string(),
    alias: z.string().optional().describe('Of a local source: as whom containers see it'),
    services: listOf(service),
    left: count.describe('Services beyond those that are listed'),
  })
  .meta({ id: 'Explanation' })

const pastContainer = z.object({
  container: z.string(),
  state: z.enum(['ready', 'draining', 'down', 'gone']),
  by: z.string().optional().describe('Whose word that was'),
  why: z.string().optional(),
  since: z.string().optional(),
})

const past = z
  .object({
    source: z.string(),
    at: z.string(),
    daemon: z.enum(['at work', 'not at work', 'unknown']).describe('Then'),
    log: z.object({
      from: z.string().optional(),
      to: z.string().optional(),
      damaged: count.describe('Parts that cannot be read'),
      lost: count.describe('Changes that could not be logged'),
    }),
    scopes: listOf(
      z.object({
        scope: z.string(),
        services: texts.describe('The first of those that share it'),
        source: z.string().describe('As it counts there'),
        known: z
          .enum(['log', 'table', 'no', 'unlogged'])
          .describe(
            'log: the log says it; table: nothing has changed since before the log begins; no: it was not remembered, and ' +
              'the algorithm alone decided; unlogged: the log does not tell',
          ),
        container: z.string().optional(),
        origin: z.enum(['pinned', 'assigned', 'restored']).optional(),
        since: z.string().optional().describe('At this container; missing: longer than the log goes back'),
        from: pastContainer.optional().describe('Where it had been, as that stood when it went'),
        until: z.string().optional(),
        end: z.enum(['made', 'moved', 'repinned', 'put', 'idle', 'forgotten']).optional(),
        next: z.string().optional(),
        stood: pastContainer.optional().describe('The container, as it stood then'),
        would: listOf(
          z.object({
            service: z.string(),
            reason: z.string().optional(),
            container: z.string().optional(),
            unknown: z
              .string()
              .optional()
              .describe(
                "Why it cannot be known: service (it is none any more), family (no address of the source's), slow-start, " +
                  'or the algorithm, which goes by turns or counts that are not logged',
              ),
          }),
        )
          .optional()
          .describe(
            'Of a source that was not remembered: whom each service would have chosen, by the config in force now and its ' +
              'containers as they stood then',
          ),
        isDoubtful: z.boolean().describe('Changes were lost that might say otherwise'),
      }),
    ),
  })
  .meta({ id: 'PastExplanation' })

const moment = text('a time such as 2026-11-25T14:03:05Z', (value) =>
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$/.test(value) &&
  Number.isFinite(Date.parse(value))
    ? Date.parse(value)
    : undefined,
)

export const explainPastRoute = route({
  method: 'POST',
  path: '/v1/explain/past',
  summary: 'Who served a source at a moment that is past',
  body: mapping({
    source: text('an IPv4 or IPv6 address', parseAddress),
    at: moment,
    service: z.string('a name').optional(),
  }),
  answer: past,
  handle: ({ body: { source, at, service } }, { explainer }) =>
    explainer.explainPast({ source, atMs: at, service }),
})

export const explainRoute = route({
  method: 'POST',
  path: '/v1/explain',
  summary: "Where a source's next packet goes, and why",
  body: mapping({
    source: text('an IPv4 or IPv6 address', parseAddress),
    service: z.string('a name').optional(),
    port: integer(1, 65_535).optional(),
    protocol: z.enum(['tcp', 'udp'], 'tcp or udp').optional(),
  }),
  answer: explanation,
  handle: ({ body: { source, service, port, protocol } }, { explainer }) =>
    explainer.explain({ source, service, port: port === undefined ? undefined : { port, protocol } }),
})
