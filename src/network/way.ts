import { runCommand } from './command.ts'

/** How the kernel would send a packet to an address. */
export interface KernelWay {
  readonly interface: string
  /** A router's address; undefined: the address is on the link itself. */
  readonly via: string | undefined
  /** Of whoever is next, when the kernel knows. */
  readonly mac: string | undefined
}

interface RouteGot {
  readonly dev?: string
  readonly gateway?: string
}

interface Neighbour {
  readonly lladdr?: string
  readonly state?: readonly string[]
}

/** `ip route get` and `ip neigh`; undefined where no route leads. */
export async function readKernelWay(address: string): Promise<KernelWay | undefined> {
  const [route] = await ask<RouteGot>('route', 'get', address)
  if (route?.dev === undefined) return undefined
  const next = route.gateway ?? address
  const neighbours = await ask<Neighbour>('neigh', 'show', 'to', next, 'dev', route.dev)
  const mac = neighbours.find(({ state }) => !state?.includes('FAILED'))?.lladdr
  return { interface: route.dev, via: route.gateway, mac }
}

/** What fails here is no error of the asker's: a route that is not there is an answer. */
async function ask<T>(...args: string[]): Promise<readonly T[]> {
  try {
    const text = await runCommand({ argv: ['ip', '-j', ...args] })
    return text.trim() === '' ? [] : (JSON.parse(text) as readonly T[])
  } catch {
    return []
  }
}
