import type { Status } from '../../../src/api/status.ts'
import { BRIDGE, type Container, PUBLIC, UPLINK } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'
import type { Server } from '../servers.ts'

type Inspect = (status: Status) => boolean

const onehop = (
  name: string,
  title: string,
  dataplane: Readonly<Record<string, unknown>>,
  isItsWay: Inspect,
): Leg => ({
  name,
  title,
  tools: [],
  async start(lab, servers) {
    const daemon = await lab.startDaemon({ config: configOf(lab.containers[0]!, servers, dataplane) })
    return {
      address: PUBLIC,
      carries: 'tcp and udp',
      pid: daemon.running.pid,
      async inspect() {
        const status = await daemon.status<Status>()
        if (!isItsWay(status)) throw new Error(`${name}: the traffic went another way`)
        const { received, verdicts, table, io } = status
        return { received, verdicts, table, io }
      },
      stop: async () => {
        await daemon.stop()
      },
    }
  },
})

const configOf = (
  { name, address }: Container,
  servers: readonly Server[],
  dataplane: Readonly<Record<string, unknown>>,
) => ({
  version: 1,
  interfaces: { bridges: [BRIDGE], uplinks: [UPLINK] },
  dataplane,
  services: [
    {
      name: 'bench',
      addresses: [PUBLIC],
      ports: servers.map(({ port }) => `${port}/any`),
      containers: [{ name, address }],
    },
  ],
})

/** The TUN path with the raw writer. */
const tun = (name: string, title: string, dataplane: Readonly<Record<string, unknown>>): Leg =>
  onehop(name, title, { fastpath: 'off', ...dataplane }, ({ io }) => io.bridgeWrites > 0)

export const onehopLeg = tun('onehop', 'onehop, TUN path', {})

/** All but each source's first packets stays in the kernel; of the many that come once, that is all of them. */
export const fastPathLeg = onehop(
  'fastpath',
  'onehop, fast path',
  { fastpath: 'require' },
  ({ io, received }) => io.bridgeWrites * 2 < received.packets,
)

/** Not measured unless asked for: what the settings do. */
export const onehopVariants: readonly Leg[] = [
  tun('onehop-2-queues', 'onehop, 2 queues', { queues: 2 }),
  tun('onehop-no-spin', 'onehop, no spin', { spin: 0 }),
  tun('onehop-spin-100us', 'onehop, spin 100 µs', { spin: '100us' }),
]
