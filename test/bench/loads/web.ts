import { join } from 'node:path'
import { clientAddress } from '../../support/lab.ts'
import type { Load } from '../load.ts'
import { webServer } from '../servers.ts'

/** HTTP requests by 64 clients at once. */
const web = (name: string, title: string, options: readonly string[]): Load => ({
  name,
  metrics: [{ name, title, unit: '/s', better: 'more' }],
  tools: ['wrk'],
  server: webServer,
  async run(client, { address }, seconds) {
    const argv = ['wrk', '--threads', '1', '--connections', '64', '--duration', `${seconds}s`, ...options]
    return [readWrk(await client.run([...argv, `http://${address}:${webServer.port}/`]))]
  },
})

/** More than this and the figure is not one of requests that were answered. */
const MOST_FAILED = 0.001

/** Requests per second, from what wrk prints; it counts failures apart and still exits 0. */
export function readWrk(output: string): number {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? 0)
  const requests = number(/(\d+) requests in/)
  const failed =
    number(/connect (\d+)/) +
    number(/read (\d+)/) +
    number(/write (\d+)/) +
    number(/timeout (\d+)/) +
    number(/Non-2xx or 3xx responses: (\d+)/)
  if (requests === 0 || failed > requests * MOST_FAILED)
    throw new Error(`wrk: ${failed} of ${requests} requests failed:\n${output}`)
  return number(/Requests\/sec: +([0-9.]+)/)
}

/** Built with the addon: native/bench/clients.cc tells what it does and prints. */
const CLIENTS = join(import.meta.dirname, '../../../native/build/Release/clients')
/**
 * Who came in the last two minutes, for as long as connection tracking keeps what has closed: 500 a second, each with an
 * address, and a clock, of its own. Ways that remember connections, or put the host's own ports in the place of clients',
 * have these to remember.
 */
const CAME = 60_000
const PATIENCE_SECONDS = 25

const newConnections: Load = {
  ...web('connections', 'new connections', ['--header', 'Connection: close']),
  async prepare(client, { address }) {
    const words = [CLIENTS, address, webServer.port, clientAddress(0), CAME, PATIENCE_SECONDS].map(String)
    const { made } = JSON.parse(await client.run(words)) as { made: number }
    if (made < CAME * LEAST_MADE) throw new Error(`only ${made} of ${CAME} clients were served`)
  },
}

/** A way so slow that not all have come in time has less to remember, in its own favour. */
const LEAST_MADE = 0.5

export const webLoads: readonly Load[] = [newConnections, web('requests', 'requests, kept alive', [])]
