import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Address, covers, maskAddress, type Prefix } from '../../src/address.ts'
import { PrefixTable } from '../../src/prefix-table.ts'

/** Close together, so that prefixes cover each other and addresses. */
const address = (digits: 8 | 32) =>
  fc.nat(0xffff).map((low) => `0a${'0'.repeat(digits - 6)}${low.toString(16).padStart(4, '0')}` as Address)
const addresses = fc.oneof(address(8), address(32))
const prefix = addresses.chain((whole) =>
  fc
    .oneof(fc.nat(whole.length * 4), fc.integer({ min: whole.length * 4 - 17, max: whole.length * 4 }))
    .map((length): Prefix => ({ address: maskAddress(whole, length), length })),
)

test('finds what a scan of all prefixes finds, longest first', () => {
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 200 }),
      fc.array(addresses, { minLength: 20 }),
      (prefixes, asked) => {
        const table = new PrefixTable()
        const kept: Prefix[] = []
        for (const one of prefixes) {
          const isNew = !kept.some((other) => other.address === one.address && other.length === one.length)
          assert.equal(table.add(one, kept.length), isNew)
          if (isNew) kept.push(one)
        }
        assert.equal(table.size, kept.length)
        for (const one of asked) {
          const scanned = [...kept.entries()]
            .filter(([, candidate]) => covers(candidate, one))
            .sort(([, a], [, b]) => b.length - a.length)
            .map(([number, { length }]) => ({ length, number }))
          assert.deepEqual([...table.covering(one)], scanned)
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('takes over what it has not, under other numbers', () => {
  fc.assert(
    fc.property(fc.array(prefix), fc.array(prefix), addresses, (mine, others, asked) => {
      const [table, other, both] = [new PrefixTable(), new PrefixTable(), new PrefixTable()]
      for (const one of mine) table.add(one, 1)
      for (const one of others) other.add(one, 2)
      table.addAll(other, (number) => number * 10)
      for (const one of mine) both.add(one, 1)
      for (const one of others) both.add(one, 20)
      assert.deepEqual([...table.covering(asked)], [...both.covering(asked)])
      assert.equal(table.size, both.size)
    }),
    { numRuns: 200 },
  )
})
