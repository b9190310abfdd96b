import { formatSource, lengthOf } from '../address.ts'
import type { Config } from '../config/config.ts'
import type { Engine } from '../dataplane/dataplane.ts'
import type { TableClock } from '../entries/translate.ts'
import { isoTime } from '../explain/situation.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import { configChanges } from './changes.ts'
import { encodePairs, pairsBetween } from './pairs.ts'
import type { Mover, Place, Plan } from './plan.ts'
import { containerShares } from './shares.ts'
import { type TalliedPlace, Tally } from './tally.ts'

export interface PlanParts {
  readonly before: Stand
  readonly after: Stand
  /** Whose table it is, with the first snapshot in force. */
  readonly engine: Pick<Engine, 'rows' | 'forecast'>
  readonly identities: Pick<Identities, 'containerName'>
  readonly clock: TableClock
  /** Movers that are named. */
  readonly top: number
  readonly notes: readonly string[]
}

export interface Stand {
  readonly config: Config
  readonly snapshot: Snapshot
}

/** Of movers, as many may be asked for; of the other lists nobody reads more. */
export const MOST_MOVERS = 10_000
const MOST_LISTED = 1_000

/** Between so many rows, a few milliseconds, the event loop goes on. */
const ROWS_AT_ONCE = 4_096

/** `breathe` lets others go on. Entries that the table moves meanwhile may be counted twice. */
export async function makePlan(parts: PlanParts, breathe: () => Promise<unknown>): Promise<Plan> {
  const { before, after, engine, clock, top } = parts
  const pairs = pairsBetween(before.snapshot, after.snapshot)
  const tally = new Tally(pairs, top)
  const now = clock.nowSeconds()
  const forecast = engine.forecast(after.snapshot, encodePairs(pairs))
  try {
    let cursor = 0
    do {
      const { next, rows } = engine.rows(cursor, ROWS_AT_ONCE)
      tally.add(rows, now, forecast)
      cursor = next
      await breathe()
    } while (cursor !== 0)
  } finally {
    forecast.close()
  }
  return planOf(parts, tally)
}

function planOf(parts: PlanParts, tally: Tally): Plan {
  const { before, after, identities, clock } = parts
  const zeroMs = clock.zeroMs()
  const changes = configChanges(before.config, after.config)
  const containers = containerShares(before.snapshot, after.snapshot, tally)
  const { moves, movers } = tally
  return {
    at: isoTime(zeroMs + clock.nowSeconds() * 1000),
    changes: changes.slice(0, MOST_LISTED),
    clients: tally.clients,
    moves: moves
      .slice(0, MOST_LISTED)
      .map((move) => ({ ...placeOf(move, identities), clients: move.clients, active: move.active })),
    containers: containers.slice(0, MOST_LISTED),
    movers: movers.list.map(
      (mover): Mover => ({
        source: formatSource(mover.source, lengthOf(mover.source, mover.pair.before.service)),
        ...placeOf(mover, identities),
        seen: isoTime(zeroMs + mover.seenSeconds * 1000),
        packets: mover.packets,
        bytes: mover.bytes,
      }),
    ),
    left: {
      changes: beyond(changes),
      moves: beyond(moves),
      containers: beyond(containers),
      movers: movers.left,
    },
    notes: [...parts.notes, ...notesOn(after.snapshot, tally)],
  }
}

const beyond = ({ length }: { readonly length: number }): number => Math.max(0, length - MOST_LISTED)

function placeOf({ pair, from, to, why }: TalliedPlace, { containerName }: PlanParts['identities']): Place {
  const [a, b] = [containerName(from), containerName(to)]
  return {
    service: pair.before.service.name,
    ...(a === undefined ? {} : { from: a }),
    ...(b === undefined ? {} : { to: b }),
    why,
  }
}

function notesOn({ services }: Snapshot, { moves }: Tally): readonly string[] {
  const byOrder = services.filter(
    ({ id, algorithm }) =>
      algorithm !== 'maglev' && moves.some(({ pair, to }) => to !== 0 && pair.after?.service.id === id),
  )
  return byOrder.map(
    ({ name, algorithm }) =>
      `${name}: ${algorithm} goes by who comes first; which client moves is certain, where each goes is not`,
  )
}
