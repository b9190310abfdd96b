/**
 * `node --import tsx test/bench/engine.ts`: what the engines take for a packet, without devices. Native: lookup
 * and rewrite with a table full of sources (native/bench/engine_bench.cc). Reference: a capture through
 * `onehop replay`. Prints figures and how they stand to their targets; other work on the machine shows in them.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import { encodeSnapshot } from '../../src/dataplane/encode.ts'
import { pcapFileHeader, pcapRecordLength, writePcapRecord } from '../../src/packet/pcap.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { onehop } from '../support/cli.ts'
import { ACK, buildPacket } from '../support/packets.ts'

const NATIVE_NS_AT_MOST = 60
const REPLAY_PER_SECOND_AT_LEAST = 300_000
const TABLES = [1_000, 1_000_000]
const REPLAYED = 600_000
const CLIENTS = 5_000

const CONTAINERS = Array.from(
  { length: 10 },
  (_, i) => `{name: web-${i}, address: 10.77.0.${i + 11}, address6: "fd77::${i + 11}"}`,
)
const CONFIG = `version: 1
interfaces: {bridges: [br0]}
key: "000102030405060708090a0b0c0d0e0f"
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080]
    containers: [${CONTAINERS.join(', ')}]
`

/** One line of engine_bench. */
interface NativeFigure {
  readonly family: 4 | 6
  readonly way: 'request' | 'reply'
  readonly atOnce: number
  readonly sources: number
  readonly ns: number
}

function benchNative(folder: string): readonly NativeFigure[] {
  const snapshot = join(folder, 'snapshot')
  const config = parseConfig(CONFIG, 'bench.yaml')
  writeFileSync(snapshot, encodeSnapshot(compileSnapshot(config, new Identities(), new Uint8Array(16))))
  const program = join(import.meta.dirname, '../../native/build/Release/engine_bench')
  return TABLES.flatMap((sources) =>
    execFileSync(program, [snapshot, String(sources)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as NativeFigure),
  )
}

function reportNative(figures: readonly NativeFigure[]): void {
  console.log('native, ns a packet         sources  1 at once  8 at once  16 at once')
  for (const sources of TABLES)
    for (const family of [4, 6] as const)
      for (const way of ['request', 'reply'] as const) {
        const row = figures.filter((f) => f.sources === sources && f.family === family && f.way === way)
        const cells = row.map(({ ns }) => ns.toFixed(1).padStart(10)).join(' ')
        console.log(`  IPv${family} ${way.padEnd(16)} ${String(sources).padStart(12)} ${cells}`)
      }
  const best = Math.min(...figures.filter((f) => f.sources === TABLES.at(-1)).map(({ ns }) => ns))
  console.log(`  best with ${TABLES.at(-1)} sources: ${best} ns; target: at most ${NATIVE_NS_AT_MOST} ns`)
}

/** Packets of a service's clients, as many as a long capture holds. */
function writeCapture(path: string): void {
  const packets = Array.from({ length: CLIENTS }, (_, i) =>
    buildPacket({
      source: (0x0a00_0000 + i).toString(16).padStart(8, '0') as Address,
      destination: 'cb00710a' as Address,
      protocol: 6,
      flags: ACK,
      payload: new Uint8Array(64),
    }),
  )
  const record = pcapRecordLength(packets[0]!)
  const file = new Uint8Array(24 + REPLAYED * record)
  file.set(pcapFileHeader('us'))
  for (let i = 0; i < REPLAYED; i++) {
    const time = BigInt(1_700_000_000_000_000_000 + i * 1_000)
    writePcapRecord(file.subarray(24 + i * record, 24 + (i + 1) * record), packets[i % CLIENTS]!, time, 'us')
  }
  writeFileSync(path, file)
}

async function benchReplay(folder: string): Promise<void> {
  const [input, output, config] = ['in.pcap', 'out.pcap', 'c.yaml'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeCapture(input)
  writeFileSync(config, CONFIG)
  for (const engine of ['reference', 'native']) {
    const before = process.cpuUsage()
    const run = await onehop('replay', input, output, '--config', config, '--engine', engine)
    const { user, system } = process.cpuUsage(before)
    if (run.code !== 0) throw new Error(run.stderr)
    const perSecond = Math.round((REPLAYED / (user + system)) * 1e6)
    console.log(`replay --engine ${engine}: ${perSecond} packets a second of processor time`)
  }
  console.log(`  target for the reference: at least ${REPLAY_PER_SECOND_AT_LEAST}`)
}

const folder = mkdtempSync(join(tmpdir(), 'onehop-bench-'))
try {
  reportNative(benchNative(folder))
  await benchReplay(folder)
} finally {
  rmSync(folder, { recursive: true })
}
