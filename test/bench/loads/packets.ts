import type { Namespace } from '../../support/lab/namespace.ts'
import { sendDatagrams } from '../datagrams.ts'
import type { StartedLeg } from '../leg.ts'
import type { Load } from '../load.ts'
import { processorMicroseconds } from '../processor.ts'
import { datagramsServer } from '../servers.ts'

const carriesUdp = ({ carries }: StartedLeg): boolean => carries === 'tcp and udp'

const send = (client: Namespace, { address, sources }: StartedLeg, seconds: number, rate?: number) =>
  sendDatagrams(client, address, datagramsServer.port, {
    seconds,
    ...(rate === undefined ? {} : { rate }),
    ...(sources === undefined ? {} : { sources }),
  })

/** The smallest packets, as fast as one program sends them: what arrives. */
const flood: Load = {
  name: 'packets',
  metrics: [{ name: 'packets', title: '64-byte packets', unit: '/s', better: 'more' }],
  tools: [],
  server: datagramsServer,
  fits: carriesUdp,
  async run(client, leg, seconds) {
    await leg.beforeDatagrams?.()
    const { sent, delivered, seconds: took } = await send(client, leg, seconds)
    if (delivered === 0) throw new Error(`none of ${sent} packets arrived`)
    return [delivered / took]
  },
}

/** So few that every way forwards them all. */
const RATE = 10_000
const LEAST_DELIVERED = 0.9

/** What the whole machine works for each: sender, way and receiver. Other programs' work counts, too. */
const cost: Load = {
  name: 'cpu',
  metrics: [{ name: 'cpu', title: 'processor time a packet', unit: 'µs', better: 'less' }],
  tools: [],
  server: datagramsServer,
  fits: carriesUdp,
  async run(client, leg, seconds) {
    await leg.beforeDatagrams?.()
    const before = processorMicroseconds()
    const { sent, delivered } = await send(client, leg, seconds, RATE)
    const used = processorMicroseconds() - before
    if (delivered < sent * LEAST_DELIVERED) throw new Error(`${delivered} of ${sent} packets arrived`)
    return [used / delivered]
  },
}

export const packetLoads: readonly Load[] = [flood, cost]
