import { mkdirSync, writeFileSync } from 'node:fs'
import type { Lab } from '../../support/lab.ts'
import type { Leg } from '../leg.ts'
import type { Server } from '../servers.ts'
import { HOST } from './addresses.ts'

export const nginxLeg: Leg = {
  name: 'nginx',
  title: 'nginx stream, 2 workers',
  tools: ['nginx'],
  async start(lab, servers) {
    const file = lab.path('nginx.conf')
    mkdirSync(lab.path('nginx'))
    writeFileSync(file, nginxConfig(lab, servers))
    const nginx = lab.host.start(['nginx', '-c', file, '-p', lab.path('nginx'), '-e', 'stderr'])
    for (const { port } of servers) await lab.host.untilListening('tcp', port)
    return {
      address: HOST,
      carries: 'tcp and udp',
      pid: nginx.pid,
      inspect: async () => undefined,
      stop: async () => {
        await nginx.stop()
      },
    }
  },
}

/** As Debian's own nginx.conf where it says anything. A datagram is answered by nobody. */
const nginxConfig = (lab: Lab, servers: readonly Server[]): string => `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 2;
pid ${lab.path('nginx.pid')};
error_log stderr;
events { worker_connections 4096; }
stream {
${servers
  .map(({ port }) => {
    const to = `proxy_pass ${lab.containers[0]!.address}:${port};`
    return `
  server { listen ${HOST}:${port}; ${to} }
  server { listen ${HOST}:${port} udp reuseport; ${to} proxy_responses 0; }`
  })
  .join('')}
}
`
