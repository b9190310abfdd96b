import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { OnehopError } from '../../src/errors.ts'
import { isFinerThanMicroseconds, readCapture } from '../../src/packet/capture.ts'
import { pcapFileHeader, pcapRecordLength, type TimeUnit, writePcapRecord } from '../../src/packet/pcap.ts'

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'captures')

/** What scapy put into a frame, and when and how long tshark says it was; see make.py there. */
interface Expected {
  readonly timestamp: string
  readonly captured: number
  readonly original: number
  readonly packet: string | null
}

const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Record<string, Expected[]>
const fixture = (name: string): Uint8Array => readFileSync(join(FOLDER, name))

/** The file in pieces of `size` bytes, all in one buffer that is overwritten each time. */
function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(size)
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size)
    buffer.set(piece)
    yield buffer.subarray(0, piece.length)
  }
}

function readAll(chunks: Iterable<Uint8Array>): Expected[] {
  return Array.from(readCapture(chunks), ({ timestamp, packet, capturedLength, originalLength }) => ({
    timestamp: String(timestamp),
    captured: capturedLength,
    original: originalLength,
    packet: packet === undefined ? null : Buffer.from(packet).toString('hex'),
  }))
}

for (const name of readdirSync(FOLDER).filter((file) => /\.pcap(ng)?$/.test(file)))
  test(`reads ${name} as scapy and tshark do, in pieces of any size`, () => {
    for (const size of [1, 7, 64, 1 << 20])
      assert.deepEqual(readAll(chunksOf(fixture(name), size)), expected[name])
  })

for (const [name, isFiner] of [
  ['raw-101.pcap', false],
  ['nanoseconds.pcap', true],
  ['big-endian-nanoseconds.pcap', true],
  ['raw-101.pcapng', false],
  ['nanoseconds.pcapng', true],
  ['sections.pcapng', false],
] as const)
  test(`${isFiner ? 'sees' : 'does not see'} times finer than a microsecond in ${name}`, () =>
    assert.equal(isFinerThanMicroseconds([fixture(name)]), isFiner))

/** Reads until it throws; returns how many packets came before and the error. */
function readBroken(bytes: Uint8Array): { count: number; error: unknown } {
  let count = 0
  try {
    for (const _ of readCapture([bytes])) count++
  } catch (error) {
    return { count, error }
  }
  return { count, error: undefined }
}

for (const name of ['raw-101.pcap', 'ethernet.pcapng'])
  test(`reads what is whole of ${name} wherever it is cut, then names the byte`, () => {
    const whole = fixture(name)
    let most = 0
    for (let length = 0; length < whole.length; length++) {
      const { count, error } = readBroken(whole.subarray(0, length))
      assert.ok(count >= most && count <= expected[name]!.length)
      most = count
      // A cut between two packets is the end of a shorter file.
      if (error === undefined) continue
      assert.ok(error instanceof OnehopError, `${error}`)
      assert.equal(error.code, 'E_INPUT')
      assert.ok(Number(/^byte (\d+): the file ends inside/.exec(error.message)?.[1]) <= length, error.message)
    }
    assert.ok(most >= expected[name]!.length - 1)
  })

test('never throws anything but its own error on damaged files', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
  let state = seed
  const random = (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >> 8) % bound
  }
  for (const name of Object.keys(expected))
    for (let round = 0; round < 300; round++) {
      const bytes = fixture(name).slice()
      for (let change = 0; change <= random(4); change++) bytes[random(bytes.length)] = random(256)
      const { error } = readBroken(bytes)
      assert.ok(
        error === undefined || error instanceof OnehopError,
        `SEED=${seed} ${name} round ${round}: ${error}`,
      )
    }
})

const damaged = (name: string, at: number, ...values: number[]): Uint8Array => {
  const bytes = fixture(name).slice()
  bytes.set(values, at)
  return bytes
}

for (const [title, bytes, message] of [
  [
    'an empty file',
    new Uint8Array(0),
    'byte 0: the file ends inside its magic number: 4 bytes expected, 0 left',
  ],
  ['a text file', Buffer.from('version: 1'), 'byte 0: not a pcap or pcapng file: it starts with 76 65 72 73'],
  ['an unknown link type', damaged('raw-101.pcap', 20, 127), 'byte 24: link type 127 is not supported'],
  ['an unknown pcap version', damaged('raw-101.pcap', 4, 3), 'byte 4: pcap version 3; expected 2'],
  [
    'a packet of 16 MiB',
    damaged('raw-101.pcap', 32, 0, 0, 0, 1),
    'byte 24: a packet of 16777216 bytes; expected at most 262144',
  ],
  [
    'a block of odd length',
    damaged('sections.pcapng', 4, 29),
    'byte 4: a block of 29 bytes; expected a multiple of 4 from 12 on',
  ],
  [
    'a block that ends with another length',
    damaged('sections.pcapng', 24, 32),
    'byte 24: a block of 28 bytes (from byte 0) ends as one of 32',
  ],
  [
    'a packet of an interface that is not there',
    damaged('sections.pcapng', 56, 1),
    'byte 48: a packet of interface 1; 1 are described before it',
  ],
  [
    'a packet longer than its block',
    damaged('sections.pcapng', 68, 255),
    'byte 48: a packet longer than its block',
  ],
] as const)
  test(`refuses ${title}, naming the byte`, () => {
    const { error } = readBroken(bytes)
    assert.equal((error as Error | undefined)?.message, message)
  })

for (const unit of ['us', 'ns'] as const satisfies readonly TimeUnit[])
  test(`reads back what it writes in ${unit}`, () => {
    const packet = Uint8Array.from([0x45, 1, 2])
    const timestamp = 1_700_000_000_123_456_789n
    const record = new Uint8Array(pcapRecordLength(packet))
    writePcapRecord(record, packet, timestamp, unit)
    const bytes = Buffer.concat([pcapFileHeader(unit), record])
    assert.deepEqual(readAll([bytes]), [
      {
        timestamp: unit === 'ns' ? '1700000000123456789' : '1700000000123456000',
        captured: 3,
        original: 3,
        packet: '450102',
      },
    ])
    assert.equal(isFinerThanMicroseconds([bytes]), unit === 'ns')
  })
