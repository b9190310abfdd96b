import { z } from 'zod'
import { isAddress4 } from '../../address.ts'
import { parseAddress, unusableKind } from '../../config/address.ts'
import { quoteValue } from '../../config/issue.ts'
import type { State } from '../../containers/conditions.ts'
import { type Discovered, type Listing, MOST_ITEMS } from '../source.ts'

/** discovery.k8s.io/v1 EndpointSlice, as far as it is read here. */
export const sliceSchema = z.object({
  metadata: z.object({ name: z.string(), resourceVersion: z.string().default('') }),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z
          .object({
            ready: z.boolean().nullish(),
            serving: z.boolean().nullish(),
            terminating: z.boolean().nullish(),
          })
          .nullish(),
        nodeName: z.string().nullish(),
        targetRef: z
          .object({ kind: z.string().nullish(), namespace: z.string().nullish(), name: z.string().nullish() })
          .nullish(),
      }),
    )
    .nullish(),
  ports: z.array(z.object({ name: z.string().nullish(), port: z.number().nullish() })).nullish(),
})

export type EndpointSlice = z.output<typeof sliceSchema>
type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

export interface SliceFilter {
  /** Only endpoints on this node; undefined: on all. */
  readonly node: string | undefined
  /** The port's number, or its name in the Service; undefined: the service's own target is meant. */
  readonly port: number | string | undefined
}

/**
 * The containers of a Service. A pod has a slice for each address family, and for a moment may stand in two slices of one:
 * what belongs together is found by the pod's name, and of two opinions the better counts, as the API's description of
 * EndpointSlice asks of its readers.
 */
export function readSlices(slices: Iterable<EndpointSlice>, filter: SliceFilter): Listing {
  const items = new Map<string, Discovered>()
  const problems = new Set<string>()
  for (const slice of slices) {
    const port = portOf(slice, filter.port)
    if (typeof port === 'string') problems.add(port)
    else
      for (const endpoint of slice.endpoints ?? []) {
        if (filter.node !== undefined && endpoint.nodeName !== filter.node) continue
        const found = discover(slice, endpoint, port)
        if (typeof found === 'string') problems.add(found)
        else items.set(found.name, merge(items.get(found.name), found))
      }
  }
  const all = [...items.values()]
  if (all.length > MOST_ITEMS) problems.add(`more than ${MOST_ITEMS} endpoints; the rest is left out`)
  return { items: all.slice(0, MOST_ITEMS), problems: [...problems].slice(0, MOST_ITEMS) }
}

/** Slices of one Service may number the same port name differently. */
function portOf(
  { metadata, ports }: EndpointSlice,
  wanted: SliceFilter['port'],
): number | undefined | string {
  if (typeof wanted !== 'string') return wanted
  const found = ports?.find(({ name }) => (name ?? '') === wanted)?.port ?? undefined
  return found ?? `EndpointSlice ${quoteValue(metadata.name)}: no port named ${quoteValue(wanted)}`
}

function discover(slice: EndpointSlice, endpoint: Endpoint, port: number | undefined): Discovered | string {
  const [text = ''] = endpoint.addresses
  const address = parseAddress(text)
  const name = nameOf(endpoint)
  const where = `EndpointSlice ${quoteValue(slice.metadata.name)}: endpoint ${quoteValue(name)}`
  if (!NAME.test(name)) return `${where}: expected a name of letters, digits and ._:/@-`
  if (address === undefined || unusableKind(address) !== undefined)
    return `${where}: ${quoteValue(text)}; expected the address of a container`
  const family = isAddress4(address) ? 'address' : 'address6'
  return { name, [family]: address, port, state: stateOf(endpoint) }
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,252}$/

/** The pod, the same in both families' slices, with its namespace, for others have pods of that name; without a pod, the address. */
function nameOf({ targetRef, addresses: [address = ''] }: Endpoint): string {
  const { kind, namespace, name } = targetRef ?? {}
  return kind === 'Pod' && name ? `${namespace ?? 'default'}/${name}` : address
}

/** Conditions that are not set count as the API says: ready is true, serving is ready, terminating is false. */
function stateOf({ conditions }: Endpoint): State {
  const isReady = conditions?.ready ?? true
  const isServing = conditions?.serving ?? isReady
  if (conditions?.terminating) return isServing ? 'draining' : 'down'
  return isReady ? 'ready' : 'down'
}

const BETTER: readonly State[] = ['ready', 'draining', 'down']

function merge(known: Discovered | undefined, found: Discovered): Discovered {
  if (known === undefined) return found
  const state = BETTER.find((one) => one === known.state || one === found.state)!
  return { ...known, ...found, state }
}
