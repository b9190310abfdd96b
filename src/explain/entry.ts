import { type Ends, usableMember } from '../pipeline/decide.ts'
import type { Way } from '../pipeline/lookup.ts'
import { entryOf, makeRows, type Rows, rowCount, writeGone } from '../table/rows.ts'
import type { SourceKey } from '../table/source.ts'
import { type Entry, isIdle } from '../table/table.ts'
import type { EntryExplanation } from './explanation.ts'
import { isoTime, type Situation } from './situation.ts'

export interface FoundEntry {
  readonly explanation: EntryExplanation
  /** As the decision gets it: one that was idle too long counts as absent. */
  readonly inForce: Entry | undefined
}

/** What is remembered of a source: in the table, or else on probation. */
export function findEntry(
  key: SourceKey,
  way: Way,
  ends: Ends,
  { lookup, table, clock, identities }: Situation,
): FoundEntry | undefined {
  const rows = makeRows(1)
  writeGone(rows, 0, key)
  const now = clock.nowSeconds()
  const idle = lookup.idleOf(key.scope)
  const places = [
    ['table', firstOf(table.find(rows))],
    ['probation', firstOf(table.findOnProbation(rows))],
  ] as const
  const known = places.filter(([, entry]) => entry !== undefined)
  const [place, entry] = known.find(([, one]) => !isIdle(one!, now, idle)) ?? known[0] ?? []
  if (place === undefined || entry === undefined) return undefined
  const isPast = isIdle(entry, now, idle)
  const time = (seconds: number) => isoTime(clock.zeroMs() + seconds * 1000)
  return {
    inForce: isPast ? undefined : entry,
    explanation: {
      container: identities.containerName(entry.container) ?? '',
      place,
      origin: entry.origin,
      since: time(entry.sinceSeconds),
      seen: time(entry.seenSeconds),
      ageSeconds: Math.max(0, now - entry.sinceSeconds),
      unseenSeconds: Math.max(0, now - entry.seenSeconds),
      idleSeconds: idle,
      packets: entry.packets,
      bytes: entry.bytes,
      holds: isPast ? 'idle' : holdsAt(entry.container, way, ends),
    },
  }
}

const firstOf = (rows: Rows): Entry | undefined => (rowCount(rows) === 0 ? undefined : entryOf(rows, 0))

function holdsAt(id: number, way: Way, ends: Ends): EntryExplanation['holds'] {
  if (usableMember(id, ends, way) !== undefined) return 'yes'
  const member = way.service.members.find(({ container }) => container.id === id)
  if (member === undefined) return 'gone'
  return member.container.state === 'down' ? 'down' : 'family'
}
