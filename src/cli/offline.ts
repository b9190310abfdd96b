import { formatSource, lengthOf } from '../address.ts'
import { compileSnapshot } from '../compile.ts'
import type { Config, ServiceConfig } from '../config/config.ts'
import type { Engine, Outcome, TableSizes } from '../dataplane/dataplane.ts'
import { createReferenceEngine } from '../dataplane/reference.ts'
import { Identities } from '../pipeline/identities.ts'
import { REASONS, type Reason, type Verdict } from '../pipeline/verdict.ts'
import { loadModule } from './load-module.ts'

export const ENGINES = ['reference', 'native'] as const
export type EngineName = (typeof ENGINES)[number]

/** An outcome with names in the place of numbers; what does not apply is absent. */
export interface NamedOutcome {
  readonly verdict: Verdict
  readonly reason: Reason
  readonly service?: string
  readonly container?: string
  readonly source?: string
}

/** An engine with a config in force, without a daemon or a device. */
export interface OfflineEngine {
  readonly engine: Engine
  name(outcome: Outcome): NamedOutcome
}

/** `key`: 16 bytes, of the config or in place of it. */
export async function openOfflineEngine(
  config: Config,
  name: EngineName,
  key: Uint8Array,
): Promise<OfflineEngine> {
  const engine = await createEngine(name, config.table)
  const identities = new Identities()
  engine.publish(compileSnapshot(config, identities, key))
  const services = new Map(config.services.map((service) => [service.name, service]))
  return { engine, name: (outcome) => nameOutcome(outcome, identities, services) }
}

async function createEngine(name: EngineName, sizes: TableSizes): Promise<Engine> {
  if (name === 'reference') return createReferenceEngine(sizes)
  const { createNativeEngine } = await loadModule('../dataplane/native.ts')
  return (createNativeEngine as (sizes: TableSizes) => Engine)(sizes)
}

function nameOutcome(
  outcome: Outcome,
  identities: Identities,
  services: ReadonlyMap<string, ServiceConfig>,
): NamedOutcome {
  const [verdict, reason] = REASONS[outcome.code]!
  const service = identities.serviceName(outcome.service)
  const container = identities.containerName(outcome.container)
  const isByTable = verdict === 'forward' || verdict === 'reply'
  const affinity = isByTable && service !== undefined ? services.get(service)?.affinity : undefined
  const { source } = outcome
  return {
    verdict,
    reason,
    ...(service === undefined ? {} : { service }),
    ...(container === undefined ? {} : { container }),
    ...(source === undefined ? {} : { source: formatSource(source, affinity && lengthOf(source, affinity)) }),
  }
}
