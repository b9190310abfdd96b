import type { Load } from '../load.ts'
import { sockperfServer } from '../servers.ts'

/** A request of 14 bytes and its answer, one at a time on one connection. */
export const latencyLoad: Load = {
  name: 'latency',
  metrics: [
    { name: 'p50', title: 'round trip, median', unit: 'µs', better: 'less' },
    { name: 'p99', title: 'round trip, 99th percentile', unit: 'µs', better: 'less' },
  ],
  tools: ['sockperf'],
  server: sockperfServer,
  async run(client, { address }, seconds) {
    const argv = ['sockperf', 'ping-pong', '--tcp', '-i', address, '-p', String(sockperfServer.port)]
    const output = await client.run([...argv, '--time', String(seconds), '--full-rtt'])
    return [readPercentile(output, '50.000'), readPercentile(output, '99.000')]
  },
}

/** Microseconds, from what sockperf prints. */
export function readPercentile(output: string, percentile: string): number {
  const line = new RegExp(`percentile ${percentile.replace('.', '\\.')} = +([0-9.]+)`).exec(output)
  if (line === null) throw new Error(`sockperf printed no percentile ${percentile}:\n${output}`)
  return Number(line[1])
}
