import { setTimeout as delay } from 'node:timers/promises'
import type { DnsConfig } from '../config/sources.ts'
import { type Answer, Resolving } from './dns/resolving.ts'
import { srvContainers } from './dns/srv.ts'
import { Retrying } from './retrying.ts'
import type { Discovered, OpenSource } from './source.ts'

const SHORTEST_MS = 1_000
const LONGEST_MS = 3_600_000

/**
 * The addresses of a name, asked for again whenever they are no longer fresh. A name that is not there, or has no such
 * records, is an empty list; a server that fails or does not answer says nothing, and the last list holds.
 */
export const openDns: OpenSource<DnsConfig> = (settings, listener) =>
  new Retrying(
    async (signal, hasWorked) => {
      for (;;) {
        const { items, problems, ttlSeconds } = await lookUp(settings, signal)
        if (signal.aborted) throw signal.reason
        hasWorked()
        listener.list({ items, problems })
        const waitMs = Math.min(Math.max(ttlSeconds * 1000, SHORTEST_MS), LONGEST_MS)
        await delay(waitMs, undefined, { signal, ref: false })
      }
    },
    (error) => listener.fail((error as Error).message),
  )

async function lookUp(settings: DnsConfig, signal: AbortSignal): Promise<Answer<Discovered>> {
  const resolving = new Resolving(settings.server)
  const cancel = () => resolving.cancel()
  signal.addEventListener('abort', cancel)
  try {
    const { name, type, port } = settings
    return type === 'SRV'
      ? await srvContainers(name, resolving)
      : await hostContainers(name, type, port, resolving)
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** One container an address, which is its name as well. */
async function hostContainers(
  name: string,
  type: 'A' | 'AAAA',
  port: number | undefined,
  resolving: Resolving,
): Promise<Answer<Discovered>> {
  const { items, ...rest } = await resolving.addresses(name, type)
  const family = type === 'A' ? 'address' : 'address6'
  const containers = items.map(({ text, address }) => ({
    name: text,
    [family]: address,
    port,
    state: 'ready' as const,
  }))
  return { items: containers, ...rest }
}
