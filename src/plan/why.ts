import { judgedCode, judgedContainer } from '../pipeline/forecast.ts'
import { addressOf } from '../pipeline/lookup.ts'
import { REASONS } from '../pipeline/verdict.ts'
import type { Pair } from './pairs.ts'
import type { Why } from './plan.ts'

/** Why a client that is known at a container (by its id) is not where it was; `before` and `after` are judgements. */
export function whyMoved(pair: Pair, known: number, before: number, after: number, isIdle: boolean): Why {
  if (pair.after === undefined) return 'closed'
  const [, reason] = REASONS[judgedCode(after)]!
  if (reason === 'pinned') return 'pin'
  if (reason === 'denied') return 'denied'
  if (!isShared(pair)) return 'affinity'
  if (isIdle) return 'idle'
  const missing = whyNotAt(pair.after, known)
  if (missing !== undefined) return missing
  if (judgedContainer(after) !== known) return 'algorithm'
  return REASONS[judgedCode(before)]![1] === 'pinned' ? 'unpinned' : 'back'
}

/** Whether what is known at the one is known at the other by the same name. */
const isShared = ({ before, after }: Pair): boolean =>
  after!.front.scope === before.front.scope &&
  after!.service.prefix4 === before.service.prefix4 &&
  after!.service.prefix6 === before.service.prefix6

function whyNotAt({ service, front }: NonNullable<Pair['after']>, id: number): Why | undefined {
  const container = service.members.find((member) => member.container.id === id)?.container
  if (container === undefined) return 'gone'
  if (container.state === 'down') return 'down'
  return addressOf(container, front.address) === undefined ? 'family' : undefined
}
