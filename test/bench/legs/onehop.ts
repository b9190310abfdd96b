import type { Status } from '../../../src/api/status.ts'
import { BRIDGE, type Container, PUBLIC, UPLINK } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'

/** The daemon as a user starts it: the TUN path with the raw writer. */
const onehop = (name: string, title: string, dataplane: Readonly<Record<string, unknown>>): Leg => ({
  name,
  title,
  tools: [],
  async start(lab, ports) {
    const daemon = await lab.startDaemon({ config: configOf(lab.containers[0]!, ports, dataplane) })
    return {
      address: PUBLIC,
      async inspect() {
        const status = await daemon.status<Status>()
        if (status.io.bridgeWrites === 0) throw new Error(`${name}: nothing was written to the bridge`)
        return status
      },
      stop: async () => {
        await daemon.stop()
      },
    }
  },
})

const configOf = (
  { name, address }: Container,
  ports: readonly number[],
  dataplane: Readonly<Record<string, unknown>>,
) => ({
  version: 1,
  interfaces: { bridges: [BRIDGE], uplinks: [UPLINK] },
  dataplane,
  services: [
    {
      name: 'bench',
      addresses: [PUBLIC],
      ports: ports.map((port) => `${port}/tcp`),
      containers: [{ name, address }],
    },
  ],
})

export const onehopLeg = onehop('onehop', 'onehop, TUN path', {})

/** Not measured unless asked for: what the settings do. */
export const onehopVariants: readonly Leg[] = [
  onehop('onehop-2-queues', 'onehop, 2 queues', { queues: 2 }),
  onehop('onehop-no-spin', 'onehop, no spin', { spin: 0 }),
  onehop('onehop-spin-100us', 'onehop, spin 100 µs', { spin: '100us' }),
]
