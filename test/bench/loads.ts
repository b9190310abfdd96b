import type { Load } from './load.ts'
import { bulkLoads } from './loads/bulk.ts'
import { idleLoad } from './loads/idle.ts'
import { latencyLoad } from './loads/latency.ts'
import { packetLoads } from './loads/packets.ts'
import { webLoads } from './loads/web.ts'

/** In the order of the report's columns. */
export const LOADS: readonly Load[] = [...bulkLoads, latencyLoad, ...webLoads, ...packetLoads, idleLoad]

/**
 * What growing may cost: a round trip, a new connection, a packet, and idling. Nobody comes before, for who is known is what
 * differs.
 */
export const GROWTH_LOADS: readonly Load[] = LOADS.filter(({ name }) =>
  ['latency', 'connections', 'packets', 'idle'].includes(name),
).map(({ prepare: _, ...load }) => load)
