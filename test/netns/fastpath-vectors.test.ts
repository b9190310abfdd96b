/**
 * Every vector through the fast path's programs as well, one packet at a time: what they handle must be what the vector
 * expects, byte for byte but for the hop that they count; what they leave is the slow path's, whose vectors these are.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { compileSnapshot } from '../../src/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { encodeSnapshot } from '../../src/dataplane/encode.ts'
import { readCapture } from '../../src/packet/capture.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { Namespace } from '../support/lab/namespace.ts'
import { describeDifference } from '../support/packet-diff.ts'

const VECTORS = join(import.meta.dirname, '..', 'vectors')
const PROBE = join(import.meta.dirname, '..', '..', 'native', 'build', 'Release', 'fastpath_probe')

/** Routes for every client, to a neighbour that need not be asked for. */
const HOST = `
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
ip link add br0 mtu 65535 type bridge
ip link add up0 mtu 65535 type veth peer name up1
ip addr add 10.255.0.1/30 dev up0
ip link set br0 up
ip link set up1 up
ip link set up0 up
ip route add default via 10.255.0.2
ip neigh add 10.255.0.2 lladdr 02:00:00:00:00:01 nud permanent dev up0
ip -6 neigh add fe80::1 lladdr 02:00:00:00:00:01 nud permanent dev up0
ip -6 route add default via fe80::1 dev up0`

const host = await Namespace.open('fastpath')
after(() => host.close())
await host.script(HOST)
const probe = host.start([PROBE, 'br0'])
after(() => probe.stop())

interface Verdict {
  readonly verdict: string
  readonly reason: string
  readonly source?: string
}

/** What a vector expects of one packet. */
interface Expected {
  readonly verdict: Verdict
  /** Undefined: nothing leaves. */
  readonly output: Uint8Array | undefined
}

function expectedOf(folder: string): Expected[] {
  const outputs = packetsOf(join(folder, 'out.pcap'))
  return readFileSync(join(folder, 'verdicts.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Verdict)
    .map((verdict) => {
      const leaves = verdict.verdict !== 'drop' && verdict.source !== undefined
      return { verdict, output: leaves ? outputs.next().value!.packet!.slice() : undefined }
    })
}

const packetsOf = (path: string) => readCapture([readFileSync(path)])

/** RFC 1624 equation 3 for the TTL's word; IPv6 has no sum over it. */
function withOneHop(packet: Uint8Array): Uint8Array {
  const hopped = Buffer.from(packet)
  if (hopped[0]! >> 4 === 6) {
    hopped.writeUInt8(hopped.readUInt8(7) - 1, 7)
    return hopped
  }
  const before = hopped.readUInt16BE(8)
  const sum = (~hopped.readUInt16BE(10) & 0xffff) + (~before & 0xffff) + (before - 0x100)
  hopped.writeUInt16BE(before - 0x100, 8)
  hopped.writeUInt16BE(~((sum & 0xffff) + (sum >> 16)) & 0xffff, 10)
  return hopped
}

/** What the programs made of each packet; undefined: left to the slow path. */
async function runPrograms(folder: string, command: 'packet' | 'settled'): Promise<(string | undefined)[]> {
  const config = loadConfig(join(folder, 'config.yaml'))
  const { capacity, probation, flows, fragments } = config.table
  const key = Buffer.from(config.key!, 'hex')
  const encoded = Buffer.from(encodeSnapshot(compileSnapshot(config, new Identities(), key)))
  const packets = [...packetsOf(join(folder, 'in.pcap'))].map(({ packet, timestamp }) =>
    packet === undefined
      ? undefined
      : `${command} ${timestamp / 1_000_000_000n} ${Buffer.from(packet).toString('hex')}`,
  )
  const lines = packets.filter((line) => line !== undefined)
  const answered = probe.lines.length
  const sizes = [Math.min(capacity, 100_000), probation, flows, fragments]
  probe.child.stdin!.write(
    [`snapshot ${sizes.join(' ')} ${encoded.toString('hex')}`, ...lines, ''].join('\n'),
  )
  await probe.until((running) => running.lines.length >= answered + lines.length, `answers for ${folder}`)
  const answers = probe.lines.slice(answered)
  return packets.map((line) => (line === undefined ? undefined : answers.shift()))
}

/** Bytes behind the packet are its frame's, and stay: whoever receives the frame cuts them off, as the TUN's kernel does. */
function assertEqual(hex: string, expected: Uint8Array, n: number): void {
  const packet = Buffer.from(hex, 'hex').subarray(0, expected.length)
  const differences = describeDifference(packet, withOneHop(expected))
  assert.equal(differences.join('\n'), '', `packet ${n}`)
}

/** Calls `check` for each packet that a program handled. */
async function forHandled(
  folder: string,
  command: 'packet' | 'settled',
  check: (program: string, kind: string, hex: string, output: Uint8Array | undefined, n: number) => void,
): Promise<void> {
  const outputs = await runPrograms(folder, command)
  for (const [i, { verdict, output }] of expectedOf(folder).entries()) {
    const [program, hex] = (outputs[i] ?? '-').split(' ') as [string, string]
    if (program !== '-') check(program, `${verdict.verdict} ${verdict.reason}`, hex, output, i + 1)
  }
}

const POSSIBLE: Readonly<Record<string, readonly string[]>> = {
  request: ['forward known', 'forward pinned'],
  answer: ['reply endpoint'],
}

/** Packets handled by what they are. */
const handled: Record<string, number> = {}

const folders = readdirSync(VECTORS, { withFileTypes: true }).filter((entry) => entry.isDirectory())

for (const { name } of folders)
  test(`as in a data plane, what is handled is right: ${name}`, () =>
    forHandled(join(VECTORS, name), 'packet', (program, kind, hex, output, n) => {
      assert.ok(POSSIBLE[program]!.includes(kind), `packet ${n}: ${program} handled what is ${kind}`)
      assertEqual(hex, output!, n)
    }))

/** Vectors are short, and a source's first packets take the slow path: so here the first is taken to be known already. */
for (const { name } of folders)
  test(`with each source settled by its first packet, bytes are right: ${name}`, () =>
    forHandled(join(VECTORS, name), 'settled', (program, kind, hex, output, n) => {
      if (kind === 'pass unknown-client') return // a source that the vector has not let into the table
      assert.match(kind, /^(forward|reply)/, `packet ${n}: handled by ${program}`)
      assertEqual(hex, output!, n)
      handled[`${program} ${kind}`] = (handled[`${program} ${kind}`] ?? 0) + 1
    }))

test('the programs have handled packets of each kind that they are for', () => {
  const most = ['request forward chosen', 'request forward known', 'answer reply endpoint']
  for (const kind of most) assert.ok(handled[kind]! > 50, JSON.stringify(handled))
  assert.ok(handled['request forward pinned']! > 5, JSON.stringify(handled))
})
