import { type Address, formatAddress, isAddress4 } from '../../address.ts'
import { parseAddress, parsePrefix, unusableKind } from '../address.ts'
import type { ListenConfig } from '../config.ts'
import { CONFIG_DEFAULTS } from '../defaults.ts'
import { isPort, text, Unfit } from '../values.ts'

/** dev_valid_name() of the kernel, and no `%`: TUNSETIFF would put a number in its place. */
export const interfaceName = text(
  'an interface name: 1 to 15 bytes without space, "/", ":" or "%"',
  (value) => {
    const isValid =
      /^[^\s/:%\p{Cc}]+$/u.test(value) && Buffer.byteLength(value) <= 15 && value !== '.' && value !== '..'
    return isValid ? value : undefined
  },
)

const usable = (address: Address | undefined): Address | undefined => {
  const kind = address === undefined ? undefined : unusableKind(address)
  if (kind !== undefined) throw new Unfit(`an address other than ${kind}`)
  return address
}

export const anyAddress = text('an IPv4 or IPv6 address', (value) => usable(parseAddress(value)))

export const address4 = text('an IPv4 address', (value) => {
  const address = usable(parseAddress(value))
  if (address !== undefined && !isAddress4(address))
    throw new Unfit('an IPv4 address (IPv6 goes to address6)')
  return address
})

export const address6 = text('an IPv6 address', (value) => {
  const address = usable(parseAddress(value))
  if (address !== undefined && isAddress4(address)) throw new Unfit('an IPv6 address (IPv4 goes to address)')
  return address
})

export const prefix = text(
  'an address or a prefix such as 198.51.100.0/24, no bits set after its length',
  parsePrefix,
)

export const aliasPrefix = (family: 4 | 6) =>
  text(`an IPv${family} prefix such as ${CONFIG_DEFAULTS[`alias${family}`]}`, (value) => {
    const parsed = parsePrefix(value)
    if (parsed === undefined || isAddress4(parsed.address) !== (family === 4)) return undefined
    usable(parsed.address)
    return parsed
  })

/** Any address that this host can have, `0.0.0.0` and loopback too: it is for us and not for clients. */
export const listen = text(
  'an address and a port such as 127.0.0.1:9464 or [::1]:9464',
  (value): ListenConfig | undefined => {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(value) ?? []
    const address = parseAddress(bracketed ?? plain ?? '')
    if (address === undefined || isAddress4(address) !== (plain !== undefined)) return undefined
    return isPort(Number(port)) ? { host: formatAddress(address), port: Number(port) } : undefined
  },
)
