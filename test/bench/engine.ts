/**
 * What the engines take for a packet, without devices. Native: lookup and rewrite with a table full of sources
 * (native/bench/engine_bench.cc), one packet at a time as a packet thread does, and 16 at once, when the table's memory
 * comes while others are parsed. Replay: a capture through `onehop replay`, packets a second of processor time.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import { encodeSnapshot } from '../../src/dataplane/encode.ts'
import { pcapFileHeader, pcapRecordLength, writePcapRecord } from '../../src/packet/pcap.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { onehop } from '../support/cli.ts'
import { run } from '../support/lab/running.ts'
import { ACK, buildPacket } from '../support/packets.ts'
import { type EngineFigure, figureOf } from './figure.ts'
import { withFolder } from './program.ts'
import type { Bound } from './targets.ts'

const NATIVE_NS: Bound = { kind: 'at most', limit: 60 }
const REFERENCE_PER_SECOND: Bound = { kind: 'at least', limit: 300_000 }
const SOURCES = 1_000_000
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

/** Everything `rounds` times; rows in a fixed order. */
export const measureEngines = (rounds: number): Promise<readonly EngineFigure[]> =>
  withFolder(async (folder) => {
    const values = new Map<string, number[]>()
    const note = (title: string, value: number) => values.set(title, [...(values.get(title) ?? []), value])
    for (let round = 0; round < rounds; round++) {
      for (const figure of await benchNative(folder)) note(titleOf(figure), figure.ns)
      note(REPLAY, await benchReplay(folder))
    }
    return [...values].map(([title, measured]) =>
      title === REPLAY
        ? figureOf(title, 'packets/s', REFERENCE_PER_SECOND, measured)
        : figureOf(title, 'ns a packet', NATIVE_NS, measured),
    )
  })

const REPLAY = 'reference engine in `replay`'

/** One line of engine_bench. */
interface NativeFigure {
  readonly family: 4 | 6
  readonly way: 'request' | 'reply'
  readonly atOnce: number
  readonly ns: number
}

const titleOf = ({ family, way, atOnce }: NativeFigure): string =>
  `native engine, ${SOURCES.toLocaleString('en')} sources, IPv${family} ${way}, ${atOnce} at once`

const REPORTED_AT_ONCE = [1, 16]

async function benchNative(folder: string): Promise<readonly NativeFigure[]> {
  const snapshot = join(folder, 'snapshot')
  const config = parseConfig(CONFIG, 'bench.yaml')
  writeFileSync(snapshot, encodeSnapshot(compileSnapshot(config, new Identities(), new Uint8Array(16))))
  const program = join(import.meta.dirname, '../../native/build/Release/engine_bench')
  return (await run([program, snapshot, String(SOURCES)]))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as NativeFigure)
    .filter(({ atOnce }) => REPORTED_AT_ONCE.includes(atOnce))
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

/** Of processor time, so that others' work on the machine does not count. */
async function benchReplay(folder: string): Promise<number> {
  const [input, output, config] = ['in.pcap', 'out.pcap', 'c.yaml'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeCapture(input)
  writeFileSync(config, CONFIG)
  const before = process.cpuUsage()
  const replayed = await onehop('replay', input, output, '--config', config, '--engine', 'reference')
  const { user, system } = process.cpuUsage(before)
  if (replayed.code !== 0) throw new Error(replayed.stderr)
  return Math.round((REPLAYED / (user + system)) * 1e6)
}
