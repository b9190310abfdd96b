import assert from 'node:assert/strict'
import test from 'node:test'
import { RING_SIZES } from '../../src/table/maglev.ts'
import { hashModulo, siphash } from '../../src/table/siphash.ts'

/** Appendix A of the SipHash paper (and vectors.h of its reference code): key 00…0f, input 00, 00 01, … */
const VECTORS: readonly (readonly [inputLength: number, hash: string])[] = [
  [0, '726fdb47dd0e0e31'],
  [1, '74f839c593dc67fd'],
  [2, '0d6c8009d9a94f5a'],
  [7, 'ab0200f58b01d137'],
  [8, '93f5f5799a932462'],
  [15, 'a129ca6149be45e5'],
]

const key = Uint8Array.from({ length: 16 }, (_, i) => i)

for (const [length, expected] of VECTORS)
  test(`hashes ${length} bytes as the paper does`, () => {
    const { high, low } = siphash(
      key,
      Uint8Array.from({ length }, (_, i) => i),
    )
    assert.equal(high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0'), expected)
  })

test('reduces a 64-bit hash modulo a ring size exactly', () => {
  for (const size of RING_SIZES) {
    const hash = { high: 0xfedcba98, low: 0x76543210 }
    assert.equal(hashModulo(hash, size), Number(0xfedcba9876543210n % BigInt(size)))
  }
})
