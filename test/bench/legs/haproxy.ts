import { writeFileSync } from 'node:fs'
import type { Container } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'

/** Where HAProxy listens: the host's own address on the clients' side. */
const ADDRESS = '198.18.0.1'

/** Every connection ends in HAProxy, which opens another to the container. */
export const haproxyLeg: Leg = {
  name: 'haproxy',
  title: 'HAProxy, tcp mode, 2 threads',
  tools: ['haproxy'],
  async start(lab, ports) {
    const file = lab.path('haproxy.cfg')
    writeFileSync(file, haproxyConfig(lab.containers[0]!, ports))
    const haproxy = lab.host.start(['haproxy', '-db', '-f', file])
    for (const port of ports) await lab.host.untilListening('tcp', port)
    return {
      address: ADDRESS,
      inspect: async () => undefined,
      stop: async () => {
        await haproxy.stop()
      },
    }
  },
}

/** Defaults where a choice is left: `option splice-auto`, the one meant for bulk, changed nothing measurable here. */
const haproxyConfig = ({ address }: Container, ports: readonly number[]): string => `
global
  nbthread 2
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
${ports
  .map(
    (port) => `
listen port-${port}
  bind ${ADDRESS}:${port}
  server container ${address}:${port}`,
  )
  .join('')}
`
