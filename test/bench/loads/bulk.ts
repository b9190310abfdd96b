import type { Load } from '../load.ts'
import { iperfServer } from '../servers.ts'

/** TCP as fast as it goes. */
const bulk = (name: string, title: string, options: readonly string[]): Load => ({
  name,
  metrics: [{ name, title, unit: 'Gbit/s', better: 'more' }],
  tools: ['iperf3'],
  server: iperfServer,
  async run(client, { address }, seconds) {
    const argv = ['iperf3', '--client', address, '--port', String(iperfServer.port)]
    const output = await client.run([...argv, '--time', String(seconds), '--json', ...options])
    return [readIperf(output)]
  },
})

/** Gbit/s that arrived, from iperf3's JSON. */
export function readIperf(output: string): number {
  const { end } = JSON.parse(output) as { end: { sum_received: { bits_per_second: number } } }
  return end.sum_received.bits_per_second / 1e9
}

export const bulkLoads: readonly Load[] = [
  bulk('bulk', 'bulk, 1 stream', []),
  bulk('bulk-4', 'bulk, 4 streams', ['--parallel', '4']),
  bulk('bulk-reverse', 'bulk, from the container', ['--reverse']),
]
