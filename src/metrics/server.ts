import fastify from 'fastify'
import { OnehopError } from '../errors.ts'
import { CONTENT_TYPE } from './exposition.ts'
import { formatMetrics, type Measured } from './metrics.ts'

export interface MetricsListen {
  /** As people write it: `127.0.0.1`, `::1`. */
  readonly host: string
  readonly port: number
}

export interface MetricsServer {
  close(): Promise<void>
}

/** A scrape is one line and some headers; whoever takes longer to send them is no scraper. */
const LONGEST_REQUEST_MS = 5_000
const LARGEST_BODY_BYTES = 1_024
const MOST_CONNECTIONS = 64

/** Serves `GET /metrics`, and nothing else, over plain HTTP to whoever can reach it. Throws E_SYSTEM when it cannot listen. */
export async function serveMetrics(
  { host, port }: MetricsListen,
  measure: () => Measured,
): Promise<MetricsServer> {
  const server = fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    requestTimeout: LONGEST_REQUEST_MS,
    forceCloseConnections: true,
  })
  server.server.maxConnections = MOST_CONNECTIONS
  server.get('/metrics', (_, reply) =>
    reply.header('content-type', CONTENT_TYPE).send(formatMetrics(measure(), readUsage())),
  )
  try {
    await server.listen({ host, port })
  } catch (cause) {
    await server.close()
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_SYSTEM', `metrics: ${syscall ?? 'listen'} ${host} port ${port}: ${code}`, {
      cause,
    })
  }
  return { close: () => server.close() }
}

function readUsage() {
  const { user, system } = process.cpuUsage()
  return {
    cpuSeconds: (user + system) / 1_000_000,
    residentBytes: process.memoryUsage.rss(),
    startedUnixSeconds: Math.round(performance.timeOrigin / 1000),
  }
}
