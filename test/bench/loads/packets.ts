import { setTimeout as sleep } from 'node:timers/promises'
import { type Sent, sendDatagrams } from '../datagrams.ts'
import type { Load, Metric } from '../load.ts'
import { processorMicroseconds } from '../processor.ts'
import { datagramsServer } from '../servers.ts'

interface Sending {
  /** As many as go unless said. */
  readonly rate?: number
  /** The part of those sent that has to arrive. */
  readonly leastDelivered: number
  /** The metric, from sending once for so long. */
  read(send: () => Promise<Sent>, seconds: number): Promise<number>
}

/** The smallest packets, from a leg's sources. */
const packets = (metric: Metric, { rate, leastDelivered, read }: Sending): Load => ({
  name: metric.name,
  metrics: [metric],
  tools: [],
  server: datagramsServer,
  fits: ({ carries }) => carries === 'tcp and udp',
  async run(client, { address, sources, beforeDatagrams }, seconds) {
    await beforeDatagrams?.()
    const options = { seconds, ...(rate && { rate }), ...(sources && { sources }) }
    const send = async () => {
      const sent = await sendDatagrams(client, address, datagramsServer.port, options)
      if (sent.delivered === 0 || sent.delivered < sent.sent * leastDelivered)
        throw new Error(`${sent.delivered} of ${sent.sent} packets arrived`)
      return sent
    }
    return [await read(send, seconds)]
  },
})

/** As fast as one program sends them: what arrives. */
const flood = packets(
  { name: 'packets', title: '64-byte packets', unit: '/s', better: 'more' },
  {
    leastDelivered: 0,
    async read(send) {
      const { delivered, seconds } = await send()
      return delivered / seconds
    },
  },
)

/**
 * What the whole machine works for each, sender, way and receiver, of so few that every way forwards them all: above what it
 * works just before without them, which is the idling of all legs, a tenth of it.
 */
const cost = packets(
  { name: 'cpu', title: 'processor time a packet', unit: 'µs', better: 'less' },
  {
    rate: 10_000,
    leastDelivered: 0.9,
    async read(send, seconds) {
      const idle = await workOf(() => sleep(seconds * 1_000))
      if (idle.microseconds > MOST_IDLE * 1e6 * idle.seconds)
        throw new Error(`${(idle.microseconds / idle.seconds / 1e6).toFixed(1)} processors work for others`)
      const busy = await workOf(send)
      return (busy.microseconds - (idle.microseconds / idle.seconds) * busy.seconds) / busy.result.delivered
    },
  },
)

/** Processors. Where others leave less than the packets need, these only take it from them. */
const MOST_IDLE = 0.5

async function workOf<Result>(act: () => Promise<Result>) {
  const [start, before] = [performance.now(), processorMicroseconds()]
  const result = await act()
  return {
    result,
    microseconds: processorMicroseconds() - before,
    seconds: (performance.now() - start) / 1_000,
  }
}

export const packetLoads: readonly Load[] = [flood, cost]
