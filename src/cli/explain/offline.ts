import { compileSnapshot } from '../../compile.ts'
import { loadConfig } from '../../config/load.ts'
import { createReferenceEngine } from '../../dataplane/reference.ts'
import type { Situation } from '../../explain/situation.ts'
import { Identities } from '../../pipeline/identities.ts'
import { SnapshotLookup } from '../../pipeline/lookup.ts'
import type { CliContext } from '../context.ts'
import { keyOf, noteKey } from '../offline-key.ts'
import { readSavedTable } from '../table/saved.ts'

/** As a daemon with this config and table would find it: all containers ready, and nobody on probation. */
export async function offlineSituation(
  configPath: string,
  tablePath: string | undefined,
  context: CliContext,
): Promise<Situation> {
  const config = loadConfig(configPath)
  if (config.key === undefined) await noteKey(context)
  const identities = new Identities()
  const snapshot = compileSnapshot(config, identities, keyOf(config))
  const table = createReferenceEngine(config.table)
  table.publish(snapshot)
  const { rows, clock } = await readSavedTable(tablePath, config, identities, context)
  table.put(rows, false)
  return {
    lookup: new SnapshotLookup(snapshot),
    identities,
    table,
    clock,
    service: (name) => config.services.find((service) => service.name === name),
    standings: ({ containers }) =>
      containers.map(({ name, weight }) => ({
        container: name,
        state: 'ready',
        weight,
        reason: 'config',
        sinceSeconds: undefined,
        leftSeconds: undefined,
      })),
    isOperatorPin: () => false,
  }
}
