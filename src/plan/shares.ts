import { isAddress4 } from '../address.ts'
import type { Snapshot, SnapshotService } from '../pipeline/snapshot.ts'
import type { ContainerShare, Sides } from './plan.ts'
import type { Tally } from './tally.ts'

/** Containers of which something would be other, in the order of the services. */
export function containerShares(before: Snapshot, after: Snapshot, tally: Tally): readonly ContainerShare[] {
  const old = new Map(before.services.map((service) => [service.name, service]))
  const now = new Map(after.services.map((service) => [service.name, service]))
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name) =>
    sharesIn(name, old.get(name), now.get(name), tally),
  )
}

function sharesIn(
  service: string,
  before: SnapshotService | undefined,
  after: SnapshotService | undefined,
  tally: Tally,
): readonly ContainerShare[] {
  const [old, now] = [standingsOf(before), standingsOf(after)]
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((id) => {
    const [a, b] = [old.get(id), now.get(id)]
    const { before, after } = tally.clientsOf(service, id)
    const share: ContainerShare = {
      service,
      container: (b ?? a)!.name,
      state: sides(a?.state, b?.state),
      clients: { before, after },
      share4: sides(a?.share4, b?.share4),
      share6: sides(a?.share6, b?.share6),
    }
    return isOther(share) ? [share] : []
  })
}

const isOther = ({ state, clients, share4, share6 }: ContainerShare): boolean =>
  [state, clients, share4, share6].some(({ before, after }) => before !== after)

const sides = <Value>(before: Value | undefined, after: Value | undefined): Sides<Value> => ({
  ...(before === undefined ? {} : { before }),
  ...(after === undefined ? {} : { after }),
})

/** By container's id. Shares only of families that the service has an address of. */
function standingsOf(service: SnapshotService | undefined) {
  const { members = [], fronts = [] } = service ?? {}
  const shareOf = (isOfFamily: boolean, weights: readonly number[]) => {
    const whole = weights.reduce((sum, weight) => sum + weight, 0)
    return (i: number) => (isOfFamily ? weights[i]! / (whole || 1) : undefined)
  }
  const share4 = shareOf(
    fronts.some(({ address }) => isAddress4(address)),
    members.map(({ weight4 }) => weight4),
  )
  const share6 = shareOf(
    fronts.some(({ address }) => !isAddress4(address)),
    members.map(({ weight6 }) => weight6),
  )
  return new Map(
    members.map(({ container: { id, name, state } }, i) => [
      id,
      { name, state, share4: share4(i), share6: share6(i) },
    ]),
  )
}
