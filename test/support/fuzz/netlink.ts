/** Messages as the kernel sends them: layouts of linux/netlink.h, rtnetlink.h, if_link.h and neighbour.h. */

const AF = { unspecified: 0, inet: 2, bridge: 7, inet6: 10 } as const
const NEIGHBOUR4 = [10, 77, 0, 11]
const GATEWAY6 = [0xfd, 0x77, ...new Array(13).fill(0), 1]
const HARDWARE = [2, 0, 0, 0, 0, 1]
const BRIDGE = 3
const [STALE, REACHABLE] = [4, 2]

/** About the neighbours that native/fuzz/netlink_fuzzer.cc follows, one of each kind that is read. */
export const neighbourMessages = (): Uint8Array =>
  Buffer.concat([
    message(28, neighbour(AF.inet, REACHABLE), attribute(1, NEIGHBOUR4), attribute(2, HARDWARE)),
    message(28, neighbour(AF.inet6, STALE), attribute(1, GATEWAY6), attribute(2, HARDWARE)),
    message(29, neighbour(AF.bridge, REACHABLE), attribute(2, HARDWARE), attribute(9, u32(BRIDGE))),
    message(24, route(AF.inet), attribute(4, u32(BRIDGE)), attribute(18, [AF.inet6, 0, ...GATEWAY6])),
    message(16, link(), attribute(3, [...Buffer.from('br0\0')]), attribute(1, HARDWARE)),
  ])

const message = (type: number, ...parts: readonly (readonly number[])[]): Uint8Array => {
  const payload = parts.flat()
  return Uint8Array.from([
    ...u32(16 + payload.length),
    ...u16(type),
    ...u16(0),
    ...u32(0),
    ...u32(0),
    ...payload,
  ])
}

const link = (): readonly number[] => [AF.unspecified, 0, ...u16(1), ...u32(BRIDGE), ...u32(1), ...u32(0)]
const neighbour = (family: number, state: number): readonly number[] => [
  ...[family, 0, 0, 0],
  ...u32(BRIDGE),
  ...u16(state),
  ...[0, 1],
]
const route = (family: number): readonly number[] => [family, 32, 0, 0, 254, 2, 0, 1, ...u32(0)]

/** Padded to a multiple of four. */
const attribute = (type: number, value: readonly number[]): readonly number[] => [
  ...u16(4 + value.length),
  ...u16(type),
  ...value,
  ...new Array(-value.length & 3).fill(0),
]

const u16 = (value: number): readonly number[] => [value & 0xff, value >> 8]
const u32 = (value: number): readonly number[] => [...u16(value & 0xffff), ...u16(value >>> 16)]
