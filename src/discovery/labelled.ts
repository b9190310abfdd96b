import { checkRules } from '../config/rules.ts'
import type { Config } from '../config/schema.ts'
import type { LabelledService } from './docker/labels.ts'
import type { Discovered } from './source.ts'

/** The config with services that labels describe, and what their containers are. */
export interface Admitted {
  readonly config: Config
  /** By the service's name. */
  readonly containers: ReadonlyMap<string, readonly Discovered[]>
  readonly problems: readonly string[]
}

/** Those that stand beside the config's own and beside each other; of two that exclude each other the first stays. Pure. */
export function admitServices(config: Config, labelled: readonly LabelledService[]): Admitted {
  if (labelled.length === 0) return { config, containers: new Map(), problems: [] }
  const own = config.services.length
  const services = [...config.services, ...labelled.map(({ service }) => service)]
  const issues = checkRules(
    services.map((service, i) => ({ path: ['services', i], service })),
    config,
  )
  const name = (text: string, i: string) =>
    services[Number(i)] ? `service "${services[Number(i)]!.name}"` : text
  const refused = new Map(
    issues
      .toReversed()
      .map(({ path, message }) => [Number(path[1]) - own, message.replace(/services\[([0-9]+)\]/g, name)]),
  )
  const admitted = labelled.filter((_, i) => !refused.has(i))
  return {
    config: { ...config, services: [...config.services, ...admitted.map(({ service }) => service)] },
    containers: new Map(admitted.map(({ service, containers }) => [service.name, containers])),
    problems: [...refused].map(([i, message]) => `service "${labelled[i]!.service.name}": ${message}`),
  }
}
