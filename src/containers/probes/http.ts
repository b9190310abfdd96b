import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type Cancel, reasonOf, type Settle } from './probe.ts'

export interface HttpTarget {
  readonly type: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly path: string
  /** The only HTTP status that passes; undefined: 200 to 399. */
  readonly status: number | undefined
  /** Sent as the Host header, and as the TLS server name; undefined: the address. */
  readonly hostName: string | undefined
}

/**
 * The status line decides; what follows it is not read. Node takes 16 KiB of headers at most. Certificates are not
 * verified: they are for the public name and issued to clients' trust, and a container is reached by its own address.
 */
export function probeHttp(target: HttpTarget, settle: Settle): Cancel {
  const { type, host, port, path, status, hostName } = target
  const headers = { 'user-agent': 'onehop', ...(hostName === undefined ? {} : { host: hostName }) }
  const options = { host, port, path, agent: false as const, headers }
  const asking =
    type === 'http'
      ? requestHttp(options)
      : requestHttps({ ...options, rejectUnauthorized: false, servername: hostName ?? '' })
  asking.on('response', ({ statusCode = 0 }) => {
    const isFine = status === undefined ? statusCode >= 200 && statusCode < 400 : statusCode === status
    settle(isFine ? undefined : `HTTP status ${statusCode}`)
  })
  asking.on('error', (error) => settle(reasonOf(error)))
  asking.end()
  return () => asking.destroy()
}
