/** A 64-bit hash as two unsigned halves: JavaScript numbers hold 53 bits exactly. */
export interface Hash64 {
  readonly high: number
  readonly low: number
}

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash, so that nobody without the key can choose
 * sources that land in one place. `key` is 16 bytes; any length of input.
 */
export function siphash(key: Uint8Array, input: Uint8Array): Hash64 {
  const k = new DataView(key.buffer, key.byteOffset, 16)
  const m = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const v = initialState(k)
  const whole = input.length & ~7
  for (let at = 0; at < whole; at += 8) absorb(v, m.getUint32(at, true), m.getUint32(at + 4, true))
  const [low, high] = lastWord(input, whole)
  absorb(v, low, high)
  v[4] = v[4]! ^ 0xff
  for (let i = 0; i < 4; i++) round(v)
  return {
    low: (v[0]! ^ v[2]! ^ v[4]! ^ v[6]!) >>> 0,
    high: (v[1]! ^ v[3]! ^ v[5]! ^ v[7]!) >>> 0,
  }
}

/** `hash mod size`, exact for sizes below 2^21. */
export const hashModulo = (hash: Hash64, size: number): number =>
  ((hash.high % size) * (0x1_0000_0000 % size) + (hash.low % size)) % size

/** v0 … v3 as [low, high] pairs: the constants spell "somepseudorandomlygeneratedbytes". */
function initialState(k: DataView): Int32Array {
  const [k0l, k0h, k1l, k1h] = [0, 4, 8, 12].map((at) => k.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ]
  return Int32Array.of(
    k0l ^ 0x70736575,
    k0h ^ 0x736f6d65,
    k1l ^ 0x6e646f6d,
    k1h ^ 0x646f7261,
    k0l ^ 0x6e657261,
    k0h ^ 0x6c796765,
    k1l ^ 0x79746573,
    k1h ^ 0x74656462,
  )
}

function absorb(v: Int32Array, low: number, high: number): void {
  v[6] = v[6]! ^ low
  v[7] = v[7]! ^ high
  round(v)
  round(v)
  v[0] = v[0]! ^ low
  v[1] = v[1]! ^ high
}

/** The bytes that fill no whole word, with the input's length mod 256 in the topmost byte. */
function lastWord(input: Uint8Array, from: number): [low: number, high: number] {
  const word = new Uint8Array(8)
  word.set(input.subarray(from))
  word[7] = input.length & 0xff
  const view = new DataView(word.buffer)
  return [view.getUint32(0, true), view.getUint32(4, true)]
}

function round(v: Int32Array): void {
  add(v, 0, 2)
  rotateAndXor(v, 2, 0, 13)
  swapHalves(v, 0)
  add(v, 4, 6)
  rotateAndXor(v, 6, 4, 16)
  add(v, 0, 6)
  rotateAndXor(v, 6, 0, 21)
  add(v, 4, 2)
  rotateAndXor(v, 2, 4, 17)
  swapHalves(v, 4)
}

/** v[to] += v[from] over 64 bits. */
function add(v: Int32Array, to: number, from: number): void {
  const low = (v[to]! >>> 0) + (v[from]! >>> 0)
  v[to] = low
  v[to + 1] = v[to + 1]! + v[from + 1]! + (low > 0xffffffff ? 1 : 0)
}

/** v[at] = rotl(v[at], bits) ^ v[by], for bits below 32. */
function rotateAndXor(v: Int32Array, at: number, by: number, bits: number): void {
  const low = v[at]!
  const high = v[at + 1]!
  v[at] = ((low << bits) | (high >>> (32 - bits))) ^ v[by]!
  v[at + 1] = ((high << bits) | (low >>> (32 - bits))) ^ v[by + 1]!
}

/** rotl by 32. */
function swapHalves(v: Int32Array, at: number): void {
  const low = v[at]!
  v[at] = v[at + 1]!
  v[at + 1] = low
}
