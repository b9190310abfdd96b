import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import { readCapture } from '../../src/packet/capture.ts'
import { pcapFileHeader, pcapRecordLength, writePcapRecord } from '../../src/packet/pcap.ts'
import { onehop } from '../support/cli.ts'

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'captures')
const fixture = (name: string): string => join(FIXTURES, name)

/** The fixtures' packets are UDP from 198.51.100.7 to 203.0.113.10:53 and TCP from 2001:db8::7 to [2001:db8:53::10]:80. */
const CONFIG = `version: 1
interfaces: {bridges: [br0]}
key: "000102030405060708090a0b0c0d0e0f"
services:
  - name: dns
    addresses: [203.0.113.10]
    ports: [53/udp->5353]
    containers: [{name: dns-1, address: 10.77.0.11}]
  - name: web
    addresses: ["2001:db8:53::10"]
    ports: [80/tcp]
    containers: [{name: web-1, address6: "fd77::11"}]
    affinity: {prefix6: 64}
`

let folder = ''
let config = ''
let out = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-replay-'))
  config = join(folder, 'c.yaml')
  out = join(folder, 'out.pcap')
  writeFileSync(config, CONFIG)
})
afterEach(() => rmSync(folder, { recursive: true }))

const replay = (input: string, output = out, ...more: string[]) =>
  onehop('replay', input, output, '--config', config, ...more)

/** What a capture file holds: times, and destination addresses as hex. */
function contents(path: string): { timestamp: bigint; destination: string }[] {
  return Array.from(readCapture([readFileSync(path)]), ({ timestamp, packet }) => {
    const bytes = Buffer.from(packet!)
    const [from, to] = bytes[0]! >> 4 === 4 ? [16, 20] : [24, 40]
    return { timestamp, destination: bytes.subarray(from, to).toString('hex') }
  })
}

test('writes what would leave, in order and with the times of the input', async () => {
  const { code, stdout, stderr } = await replay(fixture('raw-101.pcap'))
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.equal(stdout, 'verdict  reason  packets\nforward  chosen        2\n')
  assert.deepEqual(contents(out), [
    { timestamp: 1_700_000_000_123_456_000n, destination: '0a4d000b' },
    { timestamp: 1_700_000_001_123_456_000n, destination: 'fd770000000000000000000000000011' },
  ])
})

test('keeps nanoseconds when the input has them', async () => {
  await replay(fixture('nanoseconds.pcapng'))
  assert.equal(contents(out)[0]!.timestamp, 1_700_000_000_123_456_789n)
})

test('prints one line a packet, frames without IP included', async () => {
  const { stdout } = await replay(fixture('ethernet.pcap'), out, '--json')
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 8)
  assert.equal(
    lines[0],
    '{"n":1,"verdict":"forward","reason":"chosen","service":"dns","container":"dns-1","source":"198.51.100.7"}',
  )
  assert.equal(
    lines[3],
    '{"n":4,"verdict":"forward","reason":"chosen","service":"web","container":"web-1","source":"2001:db8::/64"}',
  )
  assert.equal(lines[6], '{"n":7,"verdict":"pass","reason":"not-ours"}')
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line))
})

test('leaves frames without IP out of the output', async () => {
  await replay(fixture('null.pcap'))
  assert.equal(contents(out).length, 4)
})

test('says that packets were captured only in part', async () => {
  const { stderr } = await replay(fixture('cut-short.pcap'))
  assert.match(stderr, /^onehop: 2 packets were captured only in part/)
})

test('says that a config without a key spreads unknown sources its own way', async () => {
  writeFileSync(config, CONFIG.replace(/key: .*\n/, ''))
  const { code, stderr } = await replay(fixture('raw-101.pcap'))
  assert.equal(code, 0)
  assert.match(stderr, /the config has no key/)
})

test('keeps an old output and leaves no other file when the input is damaged', async () => {
  const damaged = join(folder, 'damaged.pcap')
  writeFileSync(damaged, readFileSync(fixture('raw-101.pcap')).subarray(0, -3))
  writeFileSync(out, 'precious')
  const { code, stdout, stderr } = await replay(damaged, out, '--json')
  assert.equal(code, 1)
  assert.equal(
    stderr,
    `onehop: ${damaged}: byte 87: the file ends inside a packet: 60 bytes expected, 57 left\n`,
  )
  assert.equal(readFileSync(out, 'utf8'), 'precious')
  assert.deepEqual(readdirSync(folder).sort(), ['c.yaml', 'damaged.pcap', 'out.pcap'])
  assert.equal(stdout.split('\n').length, 1)
})

for (const [title, link] of [
  ['its own name', undefined],
  ['a hard link', linkSync],
  ['a symbolic link', symlinkSync],
] as const)
  test(`refuses to overwrite its input by ${title}`, async () => {
    const input = join(folder, 'in.pcap')
    writeFileSync(input, readFileSync(fixture('raw-101.pcap')))
    const other = link === undefined ? input : out
    link?.(input, out)
    const { code, stderr } = await replay(input, other)
    assert.equal(code, 2)
    assert.equal(stderr, `onehop: ${other} is the input; expected another file to write\n`)
    assert.deepEqual(readFileSync(input), readFileSync(fixture('raw-101.pcap')))
  })

test('replaces an old output, keeping its mode, through a symbolic link', async () => {
  const target = join(folder, 'target.pcap')
  writeFileSync(target, 'old')
  chmodSync(target, 0o600)
  symlinkSync(target, out)
  assert.equal((await replay(fixture('raw-101.pcap'))).code, 0)
  assert.equal(contents(target).length, 2)
  assert.equal(statSync(target).mode & 0o777, 0o600)
})

test('writes to a device without replacing it', async () => {
  const before = statSync('/dev/null')
  assert.equal((await replay(fixture('raw-101.pcap'), '/dev/null')).code, 0)
  const { ino, mode } = statSync('/dev/null')
  assert.deepEqual({ ino, mode }, { ino: before.ino, mode: before.mode })
})

for (const [title, input, expected] of [
  ['a missing input', () => join(folder, 'none'), /none: open: ENOENT; expected a capture file/],
  ['a folder as input', () => folder, /: expected a regular file/],
  ['a text file as input', () => config, /c\.yaml: byte 0: not a pcap or pcapng file/],
] as const)
  test(`says that ${title} is no capture`, async () => {
    const { code, stderr } = await replay(input())
    assert.equal(code, 1)
    assert.match(stderr, expected)
    assert.equal(existsSync(out), false)
  })

test('refuses a folder as output', async () => {
  const { code, stderr } = await replay(fixture('raw-101.pcap'), folder)
  assert.equal(code, 1)
  assert.match(stderr, /: a folder; expected a file to write/)
})

test('says that an output cannot be made', async () => {
  const { code, stderr } = await replay(fixture('raw-101.pcap'), join(folder, 'no', 'out.pcap'))
  assert.equal(code, 1)
  assert.match(stderr, /^onehop: open .*\/no\/out\.pcap: ENOENT/)
})

/** A capture long enough to be interrupted: the first packet of raw-101.pcap again and again. */
function writeLongCapture(path: string, count: number): void {
  const [first] = readCapture([readFileSync(fixture('raw-101.pcap'))])
  const packet = first!.packet!
  const record = new Uint8Array(pcapRecordLength(packet))
  writePcapRecord(record, packet, first!.timestamp, 'us')
  writeFileSync(path, Buffer.concat([pcapFileHeader('us'), ...Array(count).fill(record)]))
}

function spawnReplay(input: string) {
  const root = join(import.meta.dirname, '..', '..')
  const argv = ['--import', 'tsx', 'src/main.ts', 'replay', input, out, '--config', config, '--json']
  return spawn(process.execPath, argv, { cwd: root })
}

test('leaves nothing behind when it is interrupted', async () => {
  const input = join(folder, 'long.pcap')
  writeLongCapture(input, 500_000)
  const child = spawnReplay(input)
  // Its first line says that it is at work; not reading on keeps it there.
  child.stdout.once('data', () => child.kill('SIGINT'))
  child.stdout.once('data', () => child.stdout.resume())
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.equal(code, 130)
  assert.deepEqual(readdirSync(folder).sort(), ['c.yaml', 'long.pcap'])
})

test('finishes its output although nobody reads its lines any more', async () => {
  const input = join(folder, 'long.pcap')
  writeLongCapture(input, 20_000)
  const child = spawnReplay(input)
  child.stdout.once('data', () => child.stdout.destroy())
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.equal(contents(out).length, 20_000)
})
