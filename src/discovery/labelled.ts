import type { Address } from '../address.ts'
import type { Config, ServiceConfig } from '../config/config.ts'
import { checkRules } from '../config/rules.ts'
import type { LabelledService } from './docker/labels.ts'
import type { Discovered } from './source.ts'

/** The config with services that labels describe, and what their containers are. */
export interface Admitted {
  readonly config: Config
  /** By the service's name. */
  readonly containers: ReadonlyMap<string, readonly Discovered[]>
  readonly problems: readonly string[]
}

/**
 * Those that stand beside the config's own and beside each other; of two that exclude each other the first stays. None of
 * them has an address that is `refused` for a reason. Pure.
 */
export function admitServices(
  config: Config,
  labelled: readonly LabelledService[],
  refused: ReadonlyMap<Address, string>,
): Admitted {
  if (labelled.length === 0) return { config, containers: new Map(), problems: [] }
  const usable = labelled.filter(({ service }) => reasonOf(service, refused) === undefined)
  const issues = issuesOf(config, usable)
  const admitted = usable.filter((_, i) => !issues.has(i))
  const services = admitted.map(({ service }) => service)
  return {
    config: { ...config, services: [...config.services, ...services] },
    containers: new Map(admitted.map(({ service, containers }) => [service.name, containers])),
    problems: [
      ...labelled.flatMap(({ service }) => problemOf(service, reasonOf(service, refused))),
      ...usable.flatMap(({ service }, i) => problemOf(service, issues.get(i))),
    ],
  }
}

const reasonOf = ({ addresses }: ServiceConfig, refused: ReadonlyMap<Address, string>): string | undefined =>
  addresses.map((address) => refused.get(address)).find((reason) => reason !== undefined)

const problemOf = ({ name }: ServiceConfig, reason: string | undefined): readonly string[] =>
  reason === undefined ? [] : [`service "${name}": ${reason}`]

/** The first rule that each breaks, by its position; other services are called by their names. */
function issuesOf(config: Config, labelled: readonly LabelledService[]): ReadonlyMap<number, string> {
  const services = [...config.services, ...labelled.map(({ service }) => service)]
  const nameOf = (text: string, i: string) => {
    const service = services[Number(i)]
    return service === undefined ? text : `service "${service.name}"`
  }
  const issues = checkRules(
    services.map((service, i) => ({ path: ['services', i], service })),
    config,
  )
  return new Map(
    issues
      .toReversed()
      .map(({ path, message }) => [
        Number(path[1]) - config.services.length,
        message.replace(/services\[([0-9]+)\]/g, nameOf),
      ]),
  )
}
