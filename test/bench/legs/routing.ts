import type { Leg } from '../leg.ts'

/** The client calls the container's own address and the host does nothing but route. */
export const routingLeg: Leg = {
  name: 'routing',
  title: 'kernel routing',
  tools: [],
  async start(lab) {
    return {
      address: lab.containers[0]!.address,
      carries: 'tcp and udp',
      inspect: async () => undefined,
      stop: async () => {},
    }
  },
}
