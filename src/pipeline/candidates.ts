import { buildRing } from '../table/maglev.ts'
import { buildTurns } from '../table/turns.ts'
import type { Algorithm, Member, SnapshotService } from './snapshot.ts'

export type Family = 4 | 6

export interface Candidate {
  readonly member: Member
  /** Above 0. */
  readonly weight: number
}

/** Those of a service's members that take new sources of one family, with their ring. */
export interface Candidates {
  readonly list: readonly Candidate[]
  /** Positions in `list`: Maglev's ring, the turns of a round robin, or each once; empty when there is none. */
  readonly ring: Uint16Array
}

/** The candidates of a snapshot's services and of their pins, worked out when they are first asked for. */
export class CandidateLists {
  readonly #key: Uint8Array
  readonly #lists = new Map<SnapshotService, Map<string, Candidates>>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  of(service: SnapshotService, family: Family): Candidates {
    return this.#kept(service, `${family}`, () => {
      const list = taking(service.members, family)
      return { list, ring: buildRingOf(service.algorithm, list, this.#key) }
    })
  }

  /**
   * For a source that is pinned to a set of containers: those of them that take new sources; where none does, all that are
   * not down, for a pin holds for draining containers and those of weight 0 too.
   */
  ofPin(service: SnapshotService, set: number, family: Family): Candidates {
    return this.#kept(service, `${family} ${set}`, () => {
      const ids = service.pins.sets[set]!
      const members = service.members.filter(({ container }) => ids.includes(container.id))
      const own = taking(members, family)
      const list = own.length > 0 ? own : usable(members, family).map((member) => ({ member, weight: 1 }))
      return { list, ring: buildRingOf('maglev', list, this.#key) }
    })
  }

  #kept(service: SnapshotService, what: string, build: () => Candidates): Candidates {
    const own = this.#lists.get(service) ?? new Map<string, Candidates>()
    const candidates = own.get(what) ?? build()
    this.#lists.set(service, own.set(what, candidates))
    return candidates
  }
}

const taking = (members: readonly Member[], family: Family): readonly Candidate[] =>
  members
    .map((member) => ({ member, weight: family === 4 ? member.weight4 : member.weight6 }))
    .filter(({ weight }) => weight > 0)

const usable = (members: readonly Member[], family: Family): readonly Member[] =>
  members.filter(({ container: { state, address4, address6 } }) => {
    const address = family === 4 ? address4 : address6
    return state !== 'down' && address !== undefined
  })

function buildRingOf(algorithm: Algorithm, list: readonly Candidate[], key: Uint8Array): Uint16Array {
  const competitors = list.map(({ member, weight }) => ({ name: member.container.name, weight }))
  switch (algorithm) {
    case 'maglev':
    case 'random-two':
      return buildRing(competitors, key)
    case 'weighted-round-robin':
      return buildTurns(competitors)
    case 'least-sources':
      return Uint16Array.from(list.keys())
  }
}
