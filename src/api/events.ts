import { z } from 'zod'
import { parsePrefix } from '../config/address.ts'
import { text } from '../config/values.ts'
import { EVENT_TYPES } from '../events/event.ts'
import type { EventOperator } from '../events/operator.ts'
import { route } from './route.ts'

export type EventsSource = Pick<EventOperator, 'stream'>

export const EVENTS_TYPE = 'text/event-stream'

const types = text(`one or more of ${EVENT_TYPES.join(', ')}, with commas between them`, (value) => {
  const names = value.split(',')
  return names.every((name) => (EVENT_TYPES as readonly string[]).includes(name)) ? new Set(names) : undefined
})

const number = text('the number of an event', (value) =>
  /^[0-9]{1,16}$/.test(value) && Number.isSafeInteger(Number(value)) ? Number(value) : undefined,
)

const query = z.strictObject({
  type: types.optional().describe(`Of ${EVENT_TYPES.join(', ')}: one, or several with commas between them`),
  service: z.string('a name').optional().describe('What concerns this service'),
  source: text('an address or a prefix such as 198.51.100.0/24', parsePrefix)
    .optional()
    .describe('What concerns these clients: an address or a prefix'),
  since: number.optional().describe('Begin after the event of this number, if it is still kept'),
})

export const eventsRoute = route({
  method: 'GET',
  path: '/v1/events',
  summary: 'What happens, as it happens',
  query,
  headers: z.object({
    'last-event-id': number
      .optional()
      .describe('As `since`, which it comes before: browsers send it by themselves'),
  }),
  answer: {
    type: EVENTS_TYPE,
    description:
      'Server-sent events: `id` is a number higher than all before, `event` the type, `data` the event as JSON with its ' +
      '`id`, time `at`, `type` and `change`. `gap`: events that the reader asked for are no longer kept; `cut`: the reader ' +
      'was too slow and has to come again.',
  },
  handle: ({ query: { type, service, source, since }, headers }, { events }) => ({
    headers: { 'cache-control': 'no-store' },
    content: events.stream({ types: type, service, source, since: headers['last-event-id'] ?? since }),
  }),
})
