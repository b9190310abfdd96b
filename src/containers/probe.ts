import { request } from 'node:http'
import { connect } from 'node:net'

/** What one probe asks; always the container's own address, never the public one. */
export interface ProbeTarget {
  readonly type: 'tcp' | 'http'
  /** As people write it: `10.77.0.11`, `fd77::11`. */
  readonly host: string
  readonly port: number
  readonly path: string
  /** The only HTTP status that passes; undefined: 200 to 399. */
  readonly status: number | undefined
  readonly timeoutMs: number
}

/** `undefined`: passed; otherwise why not. */
export type ProbeResult = string | undefined

type Settle = (result: ProbeResult) => void
type Cancel = () => void

/** Probes once and calls `settle` once, later; the returned function ends it without that call. */
export function probe(target: ProbeTarget, settle: Settle): Cancel {
  const finish: Settle = (result) => {
    clearTimeout(timer)
    close()
    settle(result)
  }
  const start = target.type === 'tcp' ? probeTcp : probeHttp
  const close = start(target, finish)
  const timer = setTimeout(() => finish(`no answer within ${target.timeoutMs} ms`), target.timeoutMs)
  return () => {
    clearTimeout(timer)
    close()
  }
}

const reasonOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message

/** Ends by reset: a thousand containers would otherwise leave a thousand sockets in TIME_WAIT behind every interval. */
function probeTcp({ host, port }: ProbeTarget, settle: Settle): Cancel {
  const socket = connect({ host, port })
  const finish = once(settle)
  socket.on('connect', () => finish(undefined))
  socket.on('error', (error) => finish(reasonOf(error)))
  return () => {
    finish.cancel()
    socket.resetAndDestroy()
  }
}

/** The status line decides; what follows it is not read. Node takes 16 KiB of headers at most. */
function probeHttp({ host, port, path, status }: ProbeTarget, settle: Settle): Cancel {
  const finish = once(settle)
  const asking = request({ host, port, path, agent: false, headers: { 'user-agent': 'onehop' } })
  asking.on('response', ({ statusCode = 0 }) => {
    const isFine = status === undefined ? statusCode >= 200 && statusCode < 400 : statusCode === status
    finish(isFine ? undefined : `HTTP status ${statusCode}`)
  })
  asking.on('error', (error) => finish(reasonOf(error)))
  asking.end()
  return () => {
    finish.cancel()
    asking.destroy()
  }
}

/** The first call counts, none after `cancel`: a socket that is destroyed may still report an error. */
function once(settle: Settle): Settle & { cancel: Cancel } {
  let isSettled = false
  const finish: Settle = (result) => {
    if (isSettled) return
    isSettled = true
    settle(result)
  }
  return Object.assign(finish, {
    cancel: () => {
      isSettled = true
    },
  })
}
