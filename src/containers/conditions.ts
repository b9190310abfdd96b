/** `ready` takes new sources, `draining` keeps those it has, `down` takes none. */
export type State = 'ready' | 'draining' | 'down'

const FROM_WORST: readonly State[] = ['down', 'draining', 'ready']

export const worst = (a: State, b: State): State => (FROM_WORST.indexOf(a) < FROM_WORST.indexOf(b) ? a : b)

/** What is said of a container beside its config. */
export interface Condition {
  readonly state: State
  /** In the place of the config's; undefined: that one. */
  readonly weight: number | undefined
  /** Whose word the state is; undefined while it is the config's. */
  readonly by?: Speaker | undefined
}

/** `deadline`: an operator's, that is over; `network`: the set-up does not stand for the container yet. */
export type Speaker = 'operator' | 'deadline' | 'health' | 'discovery' | 'network' | 'flapping'

/** By container's name; one that is not in here is ready. */
export type Conditions = ReadonlyMap<string, Condition>

/** The containers of which now something else is said than before. */
export function changedNames(before: Conditions, now: Conditions): readonly string[] {
  const changed = [...now].flatMap(([name, { state, weight }]) => {
    const earlier = before.get(name)
    return earlier?.state === state && earlier.weight === weight ? [] : [name]
  })
  return [...changed, ...[...before.keys()].filter((name) => !now.has(name))]
}
