import type { Lab } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'

/** The client's own address on the wire. */
const CLIENT = '192.0.2.1'
/** The others that it has. */
const CLIENTS = '198.19.0.0/16'

/** The client is plugged straight into the container: no way through a host can be faster. */
export const wireLeg: Leg = {
  name: 'wire',
  title: 'one wire, no host between',
  tools: [],
  async start(lab) {
    const { namespace, address } = lab.containers[0]!
    await plug(lab)
    return {
      address,
      carries: 'tcp and udp',
      async inspect() {
        const [link] = JSON.parse(await namespace.run(['ip', '-j', '-s', 'link', 'show', 'dev', 'wire0']))
        if (link.stats64.rx.packets < 1_000) throw new Error('wire: the traffic went another way')
        return link.stats64
      },
      stop: async () => {},
    }
  },
}

async function plug({ client, host, containers }: Lab): Promise<void> {
  const { namespace, address } = containers[0]!
  await host.run(
    `ip link add wire0 netns ${client.pid} type veth peer name wire0 netns ${namespace.pid}`.split(' '),
  )
  await namespace.script(
    `ip link set wire0 up\nip route add ${CLIENT} dev wire0\nip route add ${CLIENTS} via ${CLIENT}`,
  )
  await client.script(
    `ip link set wire0 up\nip addr add ${CLIENT}/32 dev wire0\nip route add ${address} dev wire0 src ${CLIENT}`,
  )
}
