import type { Config } from '../config/config.ts'
import { isSame } from '../config/same.ts'
import { OnehopError } from '../errors.ts'

/** What was opened at the start with the old values stays as it is until a restart. */
export function refuseFixed(current: Config, next: Config): void {
  const fixed = (config: Config) => ({
    'interfaces.tun': config.interfaces.tun,
    key: config.key,
    table: config.table,
    store: config.store,
    decisions: config.decisions,
    dataplane: config.dataplane,
    metrics: config.metrics,
    api: config.api,
  })
  const before = Object.entries(fixed(current))
  const after = Object.values(fixed(next))
  const changed = before.filter(([, value], i) => !isSame(value, after[i]))
  if (changed.length === 0) return
  const names = changed.map(([name]) => name).join(', ')
  throw new OnehopError('E_CONFIG', `${names} changed; expected as at the start (a restart takes new values)`)
}
