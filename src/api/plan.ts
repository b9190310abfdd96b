import { z } from 'zod'
import { LARGEST_CONFIG_BYTES } from '../config/defaults.ts'
import { containerSchema } from '../config/schema/service.ts'
import { integer, list, mapping } from '../config/values.ts'
import { LIMIT, type Limit, parseLimit } from '../plan/limit.ts'
import { MOST_MOVERS } from '../plan/make.ts'
import { type Plan, WHYS } from '../plan/plan.ts'
import type { Supposition } from '../plan/suppose.ts'
import { route } from './route.ts'
import { containerState, count, listOf, texts } from './schemas.ts'

/** `bytes` is a config file's content, `file` what errors call it; files that it names are looked for beside that. */
export interface PlanSource {
  /** Throws E_CONFIG for a config that is wrong, or needs a restart. */
  plan(bytes: Uint8Array, file: string, top: number): Promise<Plan>
  /** The same, with nothing changed; E_NETWORK when the host refuses it. */
  apply(bytes: Uint8Array, file: string, limit: Limit | undefined, top: number): Promise<Applied>
  /** Throws E_USAGE for names that are not there. */
  whatIf(supposition: Supposition, top: number): Promise<Plan>
}

export interface Applied {
  /** False: more clients would move than may. */
  readonly applied: boolean
  /** What a reload reads. */
  readonly file?: string
  readonly plan: Plan
}

const TOP = 20

const why = z.enum(WHYS).meta({
  id: 'Why',
  description:
    'pin: one leads the client; unpinned: none does any more; gone, down, family: its container is none of the service any more, is down, has no address of its family; affinity: what is known of it is not shared there; idle: silent for longer than allowed; closed: nobody serves that address and port any more; back: its container takes it again; algorithm: decided anew, now and then, with other results',
})
const place = {
  service: z.string(),
  from: z.string().optional().describe('Missing: nobody serves the client now'),
  to: z.string().optional().describe('Missing: nobody would'),
  why,
}
const sides = <Value extends z.ZodType>(value: Value) =>
  z.object({ before: value.optional(), after: value.optional() })
const share = sides(z.number().min(0).max(1))

const plan = z
  .object({
    at: z.string(),
    changes: listOf(
      z.object({
        kind: z.enum(['setting', 'service', 'container', 'pin']),
        change: z.enum(['added', 'removed', 'changed']),
        name: z.string(),
        service: z.string().optional().describe('Whose container or pin it is'),
        fields: listOf(
          z.object({ field: z.string(), from: z.string().optional(), to: z.string().optional() }),
        ),
      }),
    ),
    clients: z.object({
      known: count.describe('Entries of the table'),
      moved: count.describe('Of them, whose next packet would go elsewhere'),
      unserved: count.describe('Of those that move, to nobody'),
      active: count.describe('Seen in the last minute'),
      activeMoved: count,
    }),
    moves: listOf(z.object({ ...place, clients: count, active: count })).describe('Most clients first'),
    containers: listOf(
      z.object({
        service: z.string(),
        container: z.string(),
        state: sides(containerState),
        clients: sides(count).describe('Known ones'),
        share4: share.describe('Of new IPv4 sources'),
        share6: share.describe('Of new IPv6 sources'),
      }),
    ).describe('Of which something would be other'),
    movers: listOf(
      z.object({ source: z.string(), ...place, seen: z.string(), packets: count, bytes: count }),
    ).describe('The moving clients that have sent most'),
    left: z
      .object({ changes: count, moves: count, containers: count, movers: count })
      .describe('Beyond what the lists have'),
    notes: texts,
  })
  .meta({ id: 'Plan' })

const file = z.string('a path').min(1, 'a path').describe('What errors call the config')
const top = z.coerce
  .number(`0 to ${MOST_MOVERS}`)
  .pipe(integer(0, MOST_MOVERS))
  .default(TOP)
  .describe('Movers to name')
const maxMoved = z
  .string(LIMIT)
  .refine((value) => parseLimit(value) !== undefined, LIMIT)
  .transform((value) => parseLimit(value))
  .describe(LIMIT)
const body = {
  type: 'application/octet-stream',
  description: 'A config file as it is: YAML in UTF-8',
  mostBytes: LARGEST_CONFIG_BYTES,
}
const names = list(z.string('a name'), 'a list of names').optional()

export const planRoutes = [
  route({
    method: 'POST',
    path: '/v1/plan',
    summary: 'What another config would change, and which clients would move',
    query: z.strictObject({ file, top }),
    body,
    answer: plan,
    handle: ({ query, body }, { plans }) => plans.plan(body, query.file, query.top),
  }),
  route({
    method: 'POST',
    path: '/v1/apply',
    summary: 'Put another config in force until the next reload, unless more clients would move than may',
    query: z.strictObject({ file, top, maxMoved: maxMoved.optional() }),
    body,
    answer: z.object({
      applied: z.boolean().describe('false: more clients would move than may; nothing was changed'),
      file: z.string().optional().describe('What a reload reads'),
      plan,
    }),
    handle: ({ query, body }, { plans }) => plans.apply(body, query.file, query.maxMoved, query.top),
  }),
  route({
    method: 'POST',
    path: '/v1/what-if',
    summary: 'Which clients would move if containers were down, drained, weighted otherwise, added or gone',
    body: mapping({
      down: names,
      drain: names,
      up: names,
      weights: list(mapping({ container: z.string('a name'), weight: integer(0, 256) }), 'a list').optional(),
      add: list(mapping({ service: z.string('a name'), container: containerSchema }), 'a list').optional(),
      remove: names,
      top: integer(0, MOST_MOVERS).default(TOP),
    }),
    answer: plan,
    handle: ({ body: { top, ...supposition } }, { plans }) => plans.whatIf(supposition, top),
  }),
]
