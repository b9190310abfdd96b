/** About 100,000 services. */
export const LARGEST_CONFIG_BYTES = 16 * 1024 * 1024

/** What a config has where it says nothing. */
export const CONFIG_DEFAULTS = {
  tun: 'onehop0',
  queues: 1,
  spinUs: 50,
  lingerSeconds: 30,
  capacity: 1_000_000,
  probation: 65_536,
  flows: 65_536,
  fragments: 16_384,
  idleSeconds: 3 * 3600,
  turns: 5,
  halfLife: '15s',
  decisions: '64MB',
  /**
   * Class E, "reserved for future use" since RFC 1112 section 4: no address of it was ever given out, routers on the way
   * drop it, and Linux forwards it like any other (net/ipv4/route.c has nothing against it). Its 28 bits keep 10/8,
   * 172.16/12 and 192.168/16 apart.
   */
  alias4: '240.0.0.0/4',
  /**
   * "Reserved by IETF" in IANA's IPv6 address space registry, as all but 2000::/3 and a few corners (RFC 4291 section 4);
   * Linux takes any first three bits but 000 and 111 for global unicast (__ipv6_addr_type). Its 125 bits keep every
   * address of 2000::/3 apart from every other and from fd00::/8.
   */
  alias6: '4000::/3',
} as const
