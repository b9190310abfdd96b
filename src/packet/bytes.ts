/** Big-endian loads and stores. Callers have checked the length: a parsed packet exists only after that. */

export const load16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

export const load32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

export function store16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function store32(bytes: Uint8Array, at: number, value: number): void {
  store16(bytes, at, value >>> 16)
  store16(bytes, at + 2, value & 0xffff)
}
