import { clientAddress, clientAddress6, PUBLIC, PUBLIC6 } from './lab.ts'

/** What differs between the two in a test that proves the same for both. */
export interface Family {
  readonly name: 'IPv4' | 'IPv6'
  /** The service's address, and as it stands in a URL. */
  readonly service: string
  readonly url: string
  /** A container's address. */
  readonly own: 'address' | 'address6'
  /** Client address number n. */
  readonly client: (n: number) => string
  /** The host's address on the clients' link. */
  readonly host: string
}

export const FAMILIES: readonly Family[] = [
  {
    name: 'IPv4',
    service: PUBLIC,
    url: `http://${PUBLIC}`,
    own: 'address',
    client: clientAddress,
    host: '198.18.0.1',
  },
  {
    name: 'IPv6',
    service: PUBLIC6,
    url: `http://[${PUBLIC6}]`,
    own: 'address6',
    client: clientAddress6,
    host: '2001:db8:18::1',
  },
]

/** An address as it stands in a URL. */
export const inUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address)
