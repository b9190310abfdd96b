import { writeFileSync } from 'node:fs'
import type { Container, Lab } from '../support/lab.ts'
import type { Tool } from './tools.ts'

/** What answers a load in the container. */
export interface Server {
  readonly port: number
  readonly tools: readonly Tool[]
  argv(lab: Lab, container: Container): readonly string[]
}

export async function startServer(server: Server, lab: Lab, container: Container): Promise<void> {
  container.namespace.start(server.argv(lab, container))
  await container.namespace.untilListening('tcp', server.port)
}

const IPERF_PORT = 5201

export const iperfServer: Server = {
  port: IPERF_PORT,
  tools: ['iperf3'],
  argv: () => ['iperf3', '--server', '--port', String(IPERF_PORT)],
}

const SOCKPERF_PORT = 11111

export const sockperfServer: Server = {
  port: SOCKPERF_PORT,
  tools: ['sockperf'],
  argv: (_lab, { address }) => [
    ...['sockperf', 'server', '--tcp', '-i', address, '-p', String(SOCKPERF_PORT)],
    // By default it wakes up a hundred times a second, in each lab that stands idle.
    '--timeout=-1',
  ],
}

const WEB_PORT = 8090

/**
 * HAProxy answering by itself: one thread makes more connections and requests a second than a directly
 * plugged client asks for, and it needs no other package than the leg of its name.
 */
export const webServer: Server = {
  port: WEB_PORT,
  tools: ['haproxy'],
  argv(lab) {
    const file = lab.path('web.cfg')
    writeFileSync(file, WEB_CONFIG)
    return ['haproxy', '-db', '-f', file]
  },
}

const WEB_CONFIG = `
global
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend web
  bind :${WEB_PORT}
  http-request return status 200 content-type text/plain string ok
`
