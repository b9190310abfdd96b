import { z } from 'zod'
import { integer, list, mapping } from '../config/values.ts'
import { LONGEST_DEADLINE_MS, type Standing } from '../containers/container-list.ts'
import { route } from './route.ts'
import { containerState, count, listOf } from './schemas.ts'

/** What may be asked of the container list. What changes it throws E_USAGE for a name it does not have. */
export interface ContainersSource {
  /** Of all, or of those named. */
  list(names?: readonly string[]): Iterable<Standing>
  drain(names: readonly string[], deadlineMs: number | undefined): void
  undrain(names: readonly string[]): void
  weigh(names: readonly string[], weight: number): void
}

const MOST_WEIGHT = 256
const SECOND_MS = 1_000

const standing = z
  .object({
    service: z.string(),
    container: z.string(),
    state: containerState,
    weight: count.describe('Its share of new sources, 0 to 256'),
    reason: z
      .enum(['config', 'operator', 'deadline', 'health', 'discovery', 'flapping'])
      .describe(
        'config: as configured; operator: someone said so; deadline: the time given for draining is over; health: a check failed; discovery: its source says so; flapping: it turned down too often',
      ),
    sinceSeconds: count
      .optional()
      .describe('How long it has been in this state; missing where it always was'),
    leftSeconds: count
      .optional()
      .describe(
        'Until it goes from draining to down, or is used again after flapping; missing without a deadline',
      ),
  })
  .meta({ id: 'Standing', description: 'How a container stands in one service, and why' })

const NAMES = "a list of containers' names"
const names = list(z.string('a name'), NAMES).min(1, NAMES)
const DEADLINE = `a time in milliseconds from ${SECOND_MS} (1s) to ${LONGEST_DEADLINE_MS} (7d)`
const deadlineMs = z.number(DEADLINE).min(SECOND_MS, DEADLINE).max(LONGEST_DEADLINE_MS, DEADLINE)

const answer = listOf(standing)

/** What changes some answers with how these stand then: the whole list may have a hundred thousand. */
export const containerRoutes = [
  route({
    method: 'GET',
    path: '/v1/containers',
    summary: 'How each container stands in each service, and why',
    answer,
    handle: (_, { containers }) => containers.list(),
  }),
  route({
    method: 'POST',
    path: '/v1/containers/drain',
    summary: 'Send new clients elsewhere and keep the known ones, until the deadline if there is one',
    body: mapping({ names, deadlineMs: deadlineMs.optional() }),
    answer,
    handle: ({ body }, { containers }) => {
      containers.drain(body.names, body.deadlineMs)
      return containers.list(body.names)
    },
  }),
  route({
    method: 'POST',
    path: '/v1/containers/undrain',
    summary: 'Take back a drain',
    body: mapping({ names }),
    answer,
    handle: ({ body }, { containers }) => {
      containers.undrain(body.names)
      return containers.list(body.names)
    },
  }),
  route({
    method: 'POST',
    path: '/v1/containers/weight',
    summary: 'Give containers another share of new clients',
    body: mapping({ names, weight: integer(0, MOST_WEIGHT) }),
    answer,
    handle: ({ body }, { containers }) => {
      containers.weigh(body.names, body.weight)
      return containers.list(body.names)
    },
  }),
]
