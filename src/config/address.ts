import { Address4, Address6 } from 'ip-address'
import { type Address, addressBits, covers, maskAddress, type Prefix } from '../address.ts'

/**
 * Reads one address, strictly: no leading zeros (`010.1.1.1` is 8.1.1.1 to some programs), no missing parts,
 * no zone, no prefix length.
 */
export function parseAddress(text: string): Address | undefined {
  if (/^[0-9.]{7,15}$/.test(text)) return parseAddress4(text)
  if (/^[0-9a-fA-F:.]{2,45}$/.test(text)) return parseAddress6(text)
  return undefined
}

function parseAddress4(text: string): Address | undefined {
  if (!Address4.isValid(text)) return undefined
  return text
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('') as Address
}

function parseAddress6(text: string): Address | undefined {
  if (!Address6.isValid(text)) return undefined
  return new Address6(text).canonicalForm().replaceAll(':', '').toLowerCase() as Address
}

/** `198.51.100.0/24`, or an address alone, which stands for all its bits. Undefined also when bits follow the length. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText, lengthText, ...rest] = text.split('/')
  const address = parseAddress(addressText!)
  if (address === undefined || rest.length > 0) return undefined
  if (lengthText === undefined) return { address, length: addressBits(address) }
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined
  const length = Number(lengthText)
  if (length > addressBits(address) || maskAddress(address, length) !== address) return undefined
  return { address, length }
}

/** Addresses that no client or container on another host's link can be reached by, and why. */
const UNUSABLE: readonly (readonly [prefix: string, kind: string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::ffff:0:0/96', 'IPv4-mapped'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
]

const unusable = UNUSABLE.map(([text, kind]) => ({ prefix: parsePrefix(text)!, kind }))

/** What makes an address unfit for a service or a container: `loopback`, `multicast` …; undefined when it is fit. */
export function unusableKind(address: Address): string | undefined {
  return unusable.find(({ prefix }) => covers(prefix, address))?.kind
}
