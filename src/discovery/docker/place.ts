import type { Address } from '../../address.ts'
import { parseAddress, unusableKind } from '../../config/address.ts'
import { quoteValue } from '../../config/issue.ts'
import type { Discovered } from '../source.ts'
import type { Attachment, EngineNetwork } from './container.ts'
import type { Watched } from './watch.ts'

/** The label that makes a container one of ours. */
export const ADDRESS_LABEL = 'onehop.address'
/** The label by which a container says its weight, whatever lists it. */
export const WEIGHT_LABEL = 'onehop.weight'

/**
 * A container as the list has it, or what keeps it from being there. `network`: name or id of the network whose addresses
 * count; undefined: it must be on exactly one.
 */
export function discoverContainer(
  container: Watched,
  network: string | undefined,
  port: number | undefined,
): Discovered | string {
  const place = placeOf(container, network)
  if (typeof place === 'string') return place
  const weight = weightOf(container)
  if (typeof weight === 'string') return weight
  return { name: container.name, ...place, port, weight, state: container.state }
}

function weightOf({ labels }: Watched): number | undefined | string {
  const label = labels[WEIGHT_LABEL]
  if (label === undefined) return undefined
  if (/^[0-9]{1,3}$/.test(label) && Number(label) <= 256) return Number(label)
  return `label ${WEIGHT_LABEL}: ${quoteValue(label)}; expected a whole number from 0 to 256`
}

type Place = Pick<Discovered, 'address' | 'address6' | 'bridge'>

function placeOf({ attachments, networks }: Watched, network: string | undefined): Place | string {
  const fit = attachments.filter(
    (one) => network === undefined || one.network === network || one.networkId === network,
  )
  const [attachment] = fit
  if (attachment !== undefined && fit.length === 1)
    return placeAt(attachment, networks.get(attachment.networkId))
  const names = attachments.map((one) => quoteValue(one.network)).sort()
  const listed = names.length === 0 ? 'none' : names.join(', ')
  return network === undefined
    ? `its networks are ${listed}; expected one alone, or network to name it`
    : `its networks are ${listed}; expected ${quoteValue(network)}`
}

/** An answer finds its way into the TUN by the bridge it comes from, so there must be one. */
function placeAt({ network, ...given }: Attachment, found: EngineNetwork | undefined): Place | string {
  if (found?.bridge === undefined)
    return `network ${quoteValue(network)} has the driver ${quoteValue(found?.driver ?? 'unknown')}; expected bridge`
  const address = usable(given.address)
  const address6 = usable(given.address6)
  if (address === undefined && address6 === undefined)
    return `no address on its network ${quoteValue(network)}; expected one`
  return { address, address6, bridge: found.bridge }
}

function usable(text: string): Address | undefined {
  const address = parseAddress(text)
  return address === undefined || unusableKind(address) !== undefined ? undefined : address
}
