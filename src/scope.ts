import { type Address, formatAddress, isAddress4 } from './address.ts'
import type { Config, ServiceConfig } from './config/config.ts'
import type { Identities } from './pipeline/identities.ts'

/** What shares an entry, by a name that outlives the process: it is in the store. No service's name has a space. */
export function scopeName({ name, affinity }: ServiceConfig, address: Address): string {
  switch (affinity.scope) {
    case 'service':
      return `service ${name}`
    case 'group':
      return `group ${affinity.group}`
    case 'address':
      return `address ${isAddress4(address) ? 4 : 6} ${address}`
  }
}

/** All that a service's entries are shared by: one, or one an address. */
export const scopeNames = (service: ServiceConfig): ReadonlySet<string> =>
  new Set(service.addresses.map((address) => scopeName(service, address)))

export type Scopes = ReadonlyMap<
  string,
  { readonly scope: number; readonly containers: ReadonlyMap<string, number> }
>

/** Every scope of a config by name: its number, and those of the containers that its entries may name. */
export function scopesOf({ services }: Config, identities: Identities): Scopes {
  const scopes = new Map<string, { scope: number; containers: Map<string, number> }>()
  for (const service of services)
    for (const name of scopeNames(service)) {
      const found = scopes.get(name) ?? { scope: identities.scope(name), containers: new Map() }
      for (const container of service.containers)
        found.containers.set(container.name, identities.container(container.name))
      scopes.set(name, found)
    }
  return scopes
}

/** As people read and write it: `web`, `group customers`, `address 203.0.113.10`. */
export function formatScope(scope: string): string {
  const [kind, ...rest] = scope.split(' ')
  if (kind === 'service') return rest[0]!
  return kind === 'address' ? `address ${formatAddress(rest[1] as Address)}` : scope
}
