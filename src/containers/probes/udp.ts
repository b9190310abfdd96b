import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type Cancel, reasonOf, type Settle } from './probe.ts'

export interface UdpTarget {
  readonly type: 'udp'
  readonly host: string
  readonly port: number
  /** One byte a character, U+0000 to U+00FF. */
  readonly send: string
  /** What the answer begins with; empty: any answer passes. */
  readonly expect: string
}

/**
 * Sends one datagram. An answer that begins as expected passes, another fails; so does ICMP port unreachable, which a
 * connected socket reports as ECONNREFUSED.
 */
export function probeUdp({ host, port, send, expect }: UdpTarget, settle: Settle): Cancel {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  socket.on('error', (error) => settle(reasonOf(error)))
  socket.on('message', (answer) =>
    settle(answer.toString('latin1').startsWith(expect) ? undefined : 'another answer than expected'),
  )
  socket.connect(port, host, () => socket.send(Buffer.from(send, 'latin1')))
  return () => socket.close()
}
