import { connect } from 'node:net'
import { type Cancel, reasonOf, type Settle } from './probe.ts'

export interface TcpTarget {
  readonly type: 'tcp'
  /** As people write it: `10.77.0.11`, `fd77::11`. */
  readonly host: string
  readonly port: number
}

/** Ends by reset: a thousand containers would otherwise leave a thousand sockets in TIME_WAIT behind every interval. */
export function probeTcp({ host, port }: TcpTarget, settle: Settle): Cancel {
  const socket = connect({ host, port })
  socket.on('connect', () => settle(undefined))
  socket.on('error', (error) => settle(reasonOf(error)))
  return () => socket.resetAndDestroy()
}
