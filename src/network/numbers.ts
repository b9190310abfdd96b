/**
 * The numbers by which the kernel's objects show whose they are. They follow from the TUN's name alone, so that
 * two daemons stand side by side and a crashed one's leftovers are found without any file.
 */

/** `protocol` of every route, rule and proxy entry of ours; free in iproute2's rt_protos. */
export const ROUTE_PROTOCOL = 111

/** The TUN's alias: tells our TUN from one that someone else made. */
export const TUN_ALIAS = 'onehop'

/** The interface group (ip-link(8)) of all TUNs of ours: what comes out of one must not go into one. */
export const TUN_GROUP = 111

/**
 * The TUN's only address, RFC 7600's IPv4 dummy address. Without any, loose reverse path filtering is as strict
 * as strict (`no_addr` in fib_frontend.c) and drops what comes out of the TUN. Scope host keeps it from becoming
 * the source of what the host itself sends.
 */
export const TUN_ADDRESS = '192.0.0.8'

/** Rules stand after `local` (0) and before whatever routes by source or mark in earnest (l3mdev has 1000). */
const FIRST_PREFERENCE = 600
const FIRST_TABLE = 600_000
const SLOTS = 256

/** Two bits that kube-proxy (0xc000), Cilium (0x0f00) and Calico (0xffff0000) leave alone; three values. */
export const MARK_MASK = 0x3000
const MARK_STEP = 0x1000
const MARKS = 3

export interface TunNumbers {
  /** `ip rule` preference. */
  readonly preference: number
  /** The routing table that leads into the TUN. */
  readonly table: number
  /** The mark, within MARK_MASK, of what goes there. */
  readonly mark: number
  /** The nft table, family inet. */
  readonly nftTable: string
}

/**
 * Names that differ only in their number (onehop0, onehop1, onehop2) never meet; others meet once in 256
 * (rule and table) or once in three (mark), and are refused then.
 */
export function numbersOf(tun: string): TunNumbers {
  const [, stem, number] = /^(.*?)([0-9]{0,6})$/.exec(tun) as unknown as [string, string, string]
  const slot = (hash(stem) * MARKS + Number(number)) % SLOTS
  return {
    preference: FIRST_PREFERENCE + slot,
    table: FIRST_TABLE + slot,
    mark: MARK_STEP * (1 + (slot % MARKS)),
    nftTable: `onehop_${nftName(tun)}`,
  }
}

/** FNV-1a, cut to 16 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193)
  return (value ^ (value >>> 16)) & 0xffff
}

/** nft takes letters, digits and `_.-/` in a name; an interface name has no `/`, so it can stand for the rest. */
const nftName = (tun: string): string =>
  tun.replace(/[^A-Za-z0-9_.-]/gu, (character) => `/${Buffer.from(character).toString('hex')}`)
