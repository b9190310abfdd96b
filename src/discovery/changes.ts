import type { Config, ContainerConfig } from '../config/config.ts'
import type { State } from '../containers/conditions.ts'

/** What became of a container between two configs. */
export interface ContainerChange {
  readonly container: string
  /** `gone`: no service has it any more. */
  readonly state: State | 'gone'
}

type StateOf = (container: string) => State

/** What a source's word changed: who came, who went, who moved, and whose state is another. Pure. */
export function changesBetween(
  before: Config,
  after: Config,
  stateBefore: StateOf,
  stateAfter: StateOf,
): readonly ContainerChange[] {
  const old = containersOf(before)
  const now = containersOf(after)
  const gone = [...old.keys()].filter((name) => !now.has(name))
  const changed = [...now].filter(([name, container]) => {
    const other = old.get(name)
    const isSame = other?.address === container.address && other?.address6 === container.address6
    return !isSame || stateBefore(name) !== stateAfter(name)
  })
  return [
    ...gone.map((container) => ({ container, state: 'gone' as const })),
    ...changed.map(([container]) => ({ container, state: stateAfter(container) })),
  ]
}

const containersOf = ({ services }: Config): ReadonlyMap<string, ContainerConfig> =>
  new Map(services.flatMap(({ containers }) => containers.map((container) => [container.name, container])))
