import { writeFileSync } from 'node:fs'
import type { Namespace } from '../../support/lab/namespace.ts'
import type { Running } from '../../support/lab/running.ts'
import type { Lab } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'
import { HOST } from './addresses.ts'

/** Every connection ends in HAProxy, which opens another to the container. */
export const haproxyLeg: Leg = {
  name: 'haproxy',
  title: 'HAProxy, tcp mode, 2 threads',
  tools: ['haproxy'],
  async start(lab, servers) {
    const { address } = lab.containers[0]!
    const listens = servers.map(({ port }) => ({ from: `${HOST}:${port}`, to: `${address}:${port}`, port }))
    const haproxy = await startHaproxy(lab, lab.host, listens)
    return {
      address: HOST,
      carries: 'tcp',
      pid: haproxy.pid,
      inspect: async () => undefined,
      stop: async () => {
        await haproxy.stop()
      },
    }
  },
}

export interface Listen {
  readonly from: string
  readonly to: string
  readonly port: number
}

/** Resolves when it listens on every port. */
export async function startHaproxy(
  lab: Lab,
  namespace: Namespace,
  listens: readonly Listen[],
): Promise<Running> {
  const file = lab.path('haproxy.cfg')
  writeFileSync(file, CONFIG + listens.map(listenLines).join(''))
  const haproxy = namespace.start(['haproxy', '-db', '-f', file])
  for (const { port } of listens) await namespace.untilListening('tcp', port)
  return haproxy
}

/** Defaults where a choice is left: `option splice-auto`, the one meant for bulk, changed nothing measurable here. */
const CONFIG = `
global
  nbthread 2
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
`

const listenLines = ({ from, to, port }: Listen): string => `
listen port-${port}
  bind ${from}
  server container ${to}
`
