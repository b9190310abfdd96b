import { load16 } from './bytes.ts'
import { IPV4 } from './ipv4.ts'
import { IPV6 } from './ipv6.ts'

/** LINKTYPE_ values (tcpdump.org/linktypes.html) that carry IP packets onehop can read. */
export const LINKTYPE_RAW = 101

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
const ETHERTYPES_VLAN: readonly number[] = [0x8100, 0x88a8, 0x9100]
const ETHERNET_ADDRESSES = 12
const MOST_VLAN_TAGS = 2

/** The IP packet in a frame, or undefined when the frame carries none. Shares the frame's bytes. */
export type Decapsulate = (frame: Uint8Array) => Uint8Array | undefined

/** How frames of a link type are opened; undefined for a link type not known here. */
export const decapsulatorOf = (linkType: number): Decapsulate | undefined => DECAPSULATORS.get(linkType)

const whole: Decapsulate = (frame) => frame

const DECAPSULATORS: ReadonlyMap<number, Decapsulate> = new Map<number, Decapsulate>([
  [LINKTYPE_RAW, whole],
  [12, whole], // DLT_RAW where files were written without mapping it: most systems
  [14, whole], // the same on OpenBSD
  [228, whole], // IPV4
  [229, whole], // IPV6
  [1, (frame) => afterEthertype(frame, ETHERNET_ADDRESSES)],
  [0, (frame) => afterFamily(frame)], // NULL: family in the writer's byte order
  [108, (frame) => afterFamily(frame)], // LOOP: in network order
  [113, (frame) => afterEthertype(frame, 14)], // LINUX_SLL: the protocol comes last
  [276, (frame) => afterCooked2(frame)], // LINUX_SLL2: the protocol comes first
])

/** Looks behind the ethertype at `at`, through VLAN tags (802.1Q and 802.1ad). */
function afterEthertype(frame: Uint8Array, at: number): Uint8Array | undefined {
  for (let tags = 0; tags <= MOST_VLAN_TAGS; tags++) {
    const start = at + 2 + tags * 4
    if (frame.length < start) return undefined
    const ethertype = load16(frame, start - 2)
    if (ETHERTYPES_VLAN.includes(ethertype)) continue
    return isIp(ethertype) ? withoutPadding(frame.subarray(start)) : undefined
  }
  return undefined
}

const COOKED2_LENGTH = 20

function afterCooked2(frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < COOKED2_LENGTH) return undefined
  return isIp(load16(frame, 0)) ? withoutPadding(frame.subarray(COOKED2_LENGTH)) : undefined
}

const isIp = (ethertype: number): boolean => ethertype === ETHERTYPE_IPV4 || ethertype === ETHERTYPE_IPV6

/** AF_INET everywhere, and AF_INET6 of Linux, OpenBSD and NetBSD, FreeBSD, macOS. */
const FAMILIES: readonly number[] = [2, 10, 24, 28, 30]

/** Families are small numbers, so the half of the field that is not zero tells the byte order too. */
function afterFamily(frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < 4) return undefined
  const high = load16(frame, 0)
  const family =
    high === 0 ? load16(frame, 2) : load16(frame, 2) === 0 ? (high >> 8) | ((high & 0xff) << 8) : -1
  return FAMILIES.includes(family) ? frame.subarray(4) : undefined
}

/**
 * Short frames are padded to Ethernet's 60 bytes and some captures end in the frame check sequence: the IP
 * header says where the packet ends. A length larger than the frame, or none (offload captures), is left as it is.
 */
function withoutPadding(bytes: Uint8Array): Uint8Array {
  const length = lengthByHeader(bytes)
  return length !== undefined && length < bytes.length ? bytes.subarray(0, length) : bytes
}

function lengthByHeader(bytes: Uint8Array): number | undefined {
  const version = bytes.length > 0 ? bytes[0]! >> 4 : 0
  if (version === 4 && bytes.length >= IPV4.minimumLength) {
    const length = load16(bytes, IPV4.totalLength)
    return length >= IPV4.minimumLength ? length : undefined
  }
  if (version === 6 && bytes.length >= IPV6.length) {
    const payload = load16(bytes, IPV6.payloadLength)
    const isJumbo = payload === 0 && bytes[IPV6.nextHeader] === 0
    return isJumbo ? undefined : IPV6.length + payload
  }
  return undefined
}
