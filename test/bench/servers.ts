import { writeFileSync } from 'node:fs'
import type { Namespace } from '../support/lab/namespace.ts'
import type { Lab } from '../support/lab.ts'
import { DATAGRAMS } from './datagrams.ts'
import type { Tool } from './tools.ts'

/** What answers a load in the container. */
export interface Server {
  readonly port: number
  readonly tools: readonly Tool[]
  /** The command; what it reads is in the lab's folder. */
  argv(lab: Lab): readonly string[]
}

export async function startServers(
  servers: readonly Server[],
  lab: Lab,
  container: Namespace,
): Promise<void> {
  for (const server of servers) container.start(server.argv(lab))
  for (const { port } of servers) await container.untilListening('tcp', port)
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
  argv: () => [
    ...['sockperf', 'server', '--tcp', '-i', '0.0.0.0', '-p', String(SOCKPERF_PORT)],
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

const DATAGRAMS_PORT = 9009

/** Counts UDP packets, and tells by TCP how many have arrived. */
export const datagramsServer: Server = {
  port: DATAGRAMS_PORT,
  tools: [],
  argv: () => [DATAGRAMS, 'sink', String(DATAGRAMS_PORT)],
}
