import { formatSource, lengthOf, type PrefixLengths } from '../address.ts'
import type { Config } from '../config/config.ts'
import type { Identities } from '../pipeline/identities.ts'
import { formatScope, scopeNames } from '../scope.ts'
import {
  changeOf,
  containerOf,
  formerOf,
  isGone,
  originOf,
  type Rows,
  scopeOf,
  sourceOf,
} from '../table/rows.ts'
import { MOST_NAMES, type TableEvent } from './event.ts'

/** A change with names. */
export function tellChange(rows: Rows, row: number, scopes: ScopeIndex, identities: Identities): TableEvent {
  const scope = scopes.get(scopeOf(rows, row))
  const gone = isGone(rows, row)
  const former = identities.containerName(formerOf(rows, row))
  const source = sourceOf(rows, row)
  const container = gone ? undefined : identities.containerName(containerOf(rows, row))
  return {
    type: 'table',
    change: changeOf(rows, row),
    scope: formatScope(identities.scopeName(scopeOf(rows, row)) ?? ''),
    services: scope?.services.slice(0, MOST_NAMES) ?? [],
    source: formatSource(source, scope && lengthOf(source, scope)),
    ...(container === undefined ? {} : { container, origin: originOf(rows, row) }),
    ...(former === undefined || former === container ? {} : { from: former }),
  }
}

/** Who shares the entries of a scope, and how much of a source counts there. */
export interface ScopePlace extends PrefixLengths {
  readonly services: readonly string[]
}

export type ScopeIndex = ReadonlyMap<number, ScopePlace>

/** By number. Services that share entries have the same prefixes. */
export function indexScopes({ services }: Config, identities: Identities): ScopeIndex {
  const index = new Map<number, ScopePlace & { readonly services: string[] }>()
  for (const service of services)
    for (const name of scopeNames(service)) {
      const id = identities.scope(name)
      const { prefix4, prefix6 } = service.affinity
      const known = index.get(id)
      if (known === undefined) index.set(id, { services: [service.name], prefix4, prefix6 })
      else known.services.push(service.name)
    }
  return index
}
