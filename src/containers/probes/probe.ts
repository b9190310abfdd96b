import type { EchoTarget, Prober } from './echo.ts'
import { type HttpTarget, probeHttp } from './http.ts'
import { probeTcp, type TcpTarget } from './tcp.ts'
import { probeUdp, type UdpTarget } from './udp.ts'

/** What one probe asks; always the container's own address, never the public one. */
export type ProbeTarget = (TcpTarget | HttpTarget | UdpTarget | EchoTarget) & { readonly timeoutMs: number }

/** `undefined`: passed; otherwise why not. */
export type ProbeResult = string | undefined

export type Settle = (result: ProbeResult) => void
export type Cancel = () => void

/** Probes once and calls `settle` once, later; the returned function ends it without that call. */
export function probe(target: ProbeTarget, echo: Prober, settle: Settle): Cancel {
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    close()
  }
  // A socket that is destroyed may still report an error.
  const finish: Settle = (result) => {
    if (isOver) return
    end()
    settle(result)
  }
  const timer = setTimeout(() => finish(`no answer within ${target.timeoutMs} ms`), target.timeoutMs)
  const close = start(target, echo, finish)
  return end
}

function start(target: ProbeTarget, echo: Prober, settle: Settle): Cancel {
  switch (target.type) {
    case 'tcp':
      return probeTcp(target, settle)
    case 'http':
    case 'https':
      return probeHttp(target, settle)
    case 'udp':
      return probeUdp(target, settle)
    case 'icmp':
      return echo.probe(target.address, settle)
  }
}

const OF_THIS_HOST = /\b(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)\b/

/** Whether a probe failed for want of files, memory or ports here: that says nothing of the container. */
export const isOfThisHost = (failure: string): boolean => OF_THIS_HOST.test(failure)

/** What a failed system call is told as. */
export const reasonOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message
