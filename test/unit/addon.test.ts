import assert from 'node:assert/strict'
import test from 'node:test'
import { loadAddon } from '../../src/dataplane/addon.ts'
import { encodeSnapshot } from '../../src/dataplane/encode.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { OnehopError } from '../../src/errors.ts'
import { Services } from '../support/engines.ts'

/** Calls the types would not allow: whatever is passed must end in an exception of JavaScript. */
type Anything = (...values: readonly unknown[]) => unknown
type Loose = Record<
  'publish' | 'process' | 'expire' | 'rows' | 'changes' | 'put' | 'forget' | 'counters',
  Anything
>

const SIZES = { capacity: 16, probation: 16, flows: 16, fragments: 16 }
const Engine = loadAddon().Engine as unknown as { new (...values: readonly unknown[]): Loose; (): unknown }

const ENCODED = encodeSnapshot(
  new Services().compile(`
  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [{name: web-1, address: 10.77.0.11}]}
`),
)

const NO_ROWS = { next: 0, rows: new Uint32Array(0) }

function open(): Loose {
  const engine = new Engine(SIZES)
  engine.publish(ENCODED)
  return engine
}

test('an engine needs sizes that are numbers in range', () => {
  for (const sizes of [undefined, null, 7, {}, { ...SIZES, flows: 'many' }, { ...SIZES, fragments: 0 }])
    assert.throws(() => new Engine(sizes), /expected/)
  assert.throws(
    () => new Engine({ ...SIZES, capacity: 2 ** 27 + 1 }),
    /capacity: 134217729; expected 1 to 134217728/,
  )
  assert.throws(() => new Engine({ ...SIZES, probation: Number.NaN }), /probation: expected a whole number/)
  assert.throws(() => Engine(), TypeError)
})

test('a snapshot must be a Uint8Array', () => {
  for (const value of [
    undefined,
    null,
    'bytes',
    {},
    [1, 2],
    new Uint16Array(8),
    new ArrayBuffer(8),
    new DataView(new ArrayBuffer(8)),
  ])
    assert.throws(() => open().publish(value), /encoded: expected a Uint8Array/)
})

test('a packet must be a Uint8Array, the time a whole number of 32 bits, the offload its fields', () => {
  const engine = open()
  const packet = new Uint8Array(20)
  assert.throws(() => engine.process(), /packet: expected a Uint8Array/)
  assert.throws(() => engine.process(new Float64Array(4), 1), /packet: expected a Uint8Array/)
  for (const now of [undefined, '1', -1, 1.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(
      () => engine.process(packet, now),
      /nowSeconds: expected a whole number from 0 to 4294967295/,
    )
  const offload = { needsChecksum: true, checksumStart: 20, checksumOffset: 16, gsoType: 0, gsoSize: 0 }
  assert.throws(() => engine.process(packet, 1, 'none'), /offload: expected an object/)
  assert.throws(() => engine.process(packet, 1, { ...offload, gsoType: 256 }), /offload\.gsoType: expected/)
  assert.throws(() => engine.process(packet, 1, { ...offload, needsChecksum: 1 }), /offload\.needsChecksum/)
  assert.throws(() => engine.process(packet, 1, {}), /offload\.needsChecksum: expected a boolean/)
  assert.equal((engine.counters() as { received: { packets: number } }).received.packets, 0)
})

test('a getter that throws is passed on', () => {
  const hostile = {
    get needsChecksum(): boolean {
      throw new Error('from the getter')
    },
  }
  assert.throws(() => open().process(new Uint8Array(20), 1, hostile), /from the getter/)
})

test('empty, detached and shared bytes are taken for what they hold', () => {
  const engine = open()
  const detached = new Uint8Array(64)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  const shared = new Uint8Array(new SharedArrayBuffer(64))
  shared[0] = 0x45
  shared[3] = 64
  const reasons = loadAddon().reasons
  const verdictOf = (bytes: Uint8Array) => {
    const { code, output } = engine.process(bytes, 1) as { code: number; output: Uint8Array | undefined }
    return [...reasons[code]!, output?.length]
  }
  assert.deepEqual(verdictOf(new Uint8Array(0)), ['drop', 'short-packet', undefined])
  assert.deepEqual(verdictOf(detached), ['drop', 'short-packet', undefined])
  assert.deepEqual(verdictOf(shared), ['pass', 'not-ours', 64])
  assert.throws(() => engine.publish(detached), /snapshot: magic: 0 bytes left/)
})

test('a part of a larger buffer is read and written within its bounds', () => {
  const whole = new Uint8Array(100).fill(0xee)
  const packet = whole.subarray(10, 74)
  packet.fill(0)
  packet[0] = 0x45
  packet[3] = 64
  const { output } = open().process(packet, 1) as { output: Uint8Array }
  assert.equal(output.buffer, whole.buffer)
  assert.equal(output.byteOffset, 10)
  assert.deepEqual([...whole.subarray(0, 10), ...whole.subarray(74)], new Array(36).fill(0xee))
})

test('cursors and times are checked', () => {
  const engine = open()
  for (const cursor of [-1, 1.5, 2 ** 53, '0']) {
    assert.throws(() => engine.rows(cursor, 10), /cursor: expected/)
    assert.throws(() => engine.changes(cursor, 10), /position: expected/)
  }
  for (const most of [0, 2 ** 20 + 1])
    assert.throws(() => engine.rows(0, most), /most: expected 1 to 1048576/)
  assert.deepEqual(engine.rows(2 ** 52, 10), NO_ROWS)
  assert.throws(() => engine.expire({}), /nowSeconds: expected/)
})

test('rows must be whole, aligned, and possible', () => {
  const engine = open()
  for (const act of [(rows: unknown) => engine.put(rows, true), (rows: unknown) => engine.forget(rows)]) {
    for (const rows of [undefined, [], new Uint8Array(48)])
      assert.throws(() => act(rows), /rows: expected a Uint32Array/)
    assert.throws(() => act(new Uint32Array(13)), /rows: expected whole rows/)
    assert.throws(() => act(new Uint32Array(13).subarray(1)), /rows: expected whole rows, aligned to 8 bytes/)
    assert.throws(
      () => act(new Uint32Array(12).fill(2 ** 25, 4, 5)),
      /rows\[0\]\.scope: 16777216; expected less/,
    )
    assert.throws(
      () => act(new Uint32Array(12).fill(3 * 2 ** 30, 5, 6)),
      /rows\[0\]\.origin: 3; expected 0 to 2/,
    )
  }
  assert.throws(() => engine.put(new Uint32Array(12)), /isWhole: expected a boolean/)
  assert.deepEqual(engine.rows(0, 10), NO_ROWS)
})

test('methods on a foreign object throw', () => {
  const { process, counters } = open()
  assert.throws(() => process.call({}, new Uint8Array(20), 1))
  assert.throws(() => counters.call(new Uint8Array(8)))
})

test('a packet before the first snapshot is refused, and nothing has been counted', () => {
  const engine = new Engine(SIZES)
  assert.throws(() => engine.process(new Uint8Array(20), 1), /process before publish/)
  assert.equal(engine.expire(1), 0)
  assert.deepEqual(engine.rows(0, 10), NO_ROWS)
  assert.deepEqual(engine.changes(0, 10), { ...NO_ROWS, isLost: false })
  assert.throws(() => engine.put(new Uint32Array(12), false), /no table before the first publish/)
})

test('createNativeEngine throws errors for people', () => {
  assert.throws(
    () => createNativeEngine({ ...SIZES, flows: 0 }),
    (error: unknown) =>
      error instanceof OnehopError && error.code === 'E_INPUT' && /flows: 0;/.test(error.message),
  )
})
