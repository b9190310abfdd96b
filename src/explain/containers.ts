import { type Address, formatAddress, isAddress4 } from '../address.ts'
import type { ServiceConfig } from '../config/config.ts'
import { addressOf, type Way } from '../pipeline/lookup.ts'
import type { Member } from '../pipeline/snapshot.ts'
import type { ContainerExplanation, ContainerVerdict } from './explanation.ts'
import type { Situation } from './situation.ts'

/** What a decision was made by. */
export type Leader = 'denied' | 'limit' | 'pin' | 'entry' | 'algorithm'

/** How each container of a service stands, who says so, and why it does or does not get the source. */
export function explainContainers(
  { service, front }: Way,
  source: Address,
  taken: Member | undefined,
  leader: Leader,
  config: ServiceConfig,
  { standings }: Situation,
): readonly ContainerExplanation[] {
  const standing = new Map(standings(config).map((one) => [one.container, one]))
  return service.members.map((member) => {
    const { name, state } = member.container
    const { reason: by = 'config', sinceSeconds, weight = 1 } = standing.get(name) ?? {}
    const address = addressOf(member.container, front.address)
    return {
      name,
      ...(address === undefined ? {} : { address: formatAddress(address) }),
      state,
      // Published as it is, and not as it stands now: what has just turned is published within the round.
      by: state === standing.get(name)?.state ? by : 'network',
      ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
      weight,
      verdict: verdictOn(member, source, taken, leader),
    }
  })
}

function verdictOn(
  member: Member,
  source: Address,
  taken: Member | undefined,
  leader: Leader,
): ContainerVerdict {
  if (member === taken) return 'yes'
  if (leader === 'denied' || leader === 'limit') return leader
  const { state } = member.container
  if (state === 'down') return 'down'
  if (addressOf(member.container, source) === undefined) return 'family'
  if (leader !== 'algorithm') return leader
  if (state === 'draining') return 'draining'
  return (isAddress4(source) ? member.weight4 : member.weight6) === 0 ? 'weight' : 'algorithm'
}
