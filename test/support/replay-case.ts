import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineName } from '../../src/cli/offline.ts'
import { readCapture } from '../../src/packet/capture.ts'
import { onehop } from './cli.ts'
import { describeDifference } from './packet-diff.ts'

/** A folder with config.yaml, in.pcap and what must come of them: out.pcap and verdicts.jsonl. */
export const CASE_FILES = ['config.yaml', 'in.pcap', 'out.pcap', 'verdicts.jsonl'] as const

/** Replays a case through an engine. Returns what differs from its expectations, a line each; none when all is equal. */
export async function replayCase(folder: string, engine: EngineName): Promise<string[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'onehop-case-'))
  try {
    const out = join(scratch, 'out.pcap')
    const [config, input] = [join(folder, 'config.yaml'), join(folder, 'in.pcap')]
    const run = await onehop('replay', input, out, '--config', config, '--engine', engine, '--json')
    if (run.code !== 0) return [`replay exits with ${run.code}: ${run.stderr}`]
    const verdicts = readFileSync(join(folder, 'verdicts.jsonl'), 'utf8')
    return [
      ...compareLines(run.stdout, verdicts),
      ...comparePackets(packetsOf(out), packetsOf(join(folder, 'out.pcap')), leavingNumbers(verdicts)),
    ]
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function compareLines(actual: string, expected: string): string[] {
  const [got, wanted] = [actual, expected].map((text) => text.split('\n')) as [string[], string[]]
  return Array.from({ length: Math.max(got.length, wanted.length) }, (_, i) => i)
    .filter((i) => got[i] !== wanted[i])
    .map((i) => `verdict of packet ${i + 1}: expected ${wanted[i] || 'none'}, got ${got[i] || 'none'}`)
}

interface LeavingPacket {
  readonly timestamp: bigint
  readonly bytes: Uint8Array
}

const packetsOf = (path: string): LeavingPacket[] =>
  Array.from(readCapture([readFileSync(path)]), ({ timestamp, packet }) => ({
    timestamp,
    bytes: packet!.slice(),
  }))

/** Numbers, in the input, of the packets that leave: every verdict but drop, and frames without IP, which name no source. */
const leavingNumbers = (verdicts: string): number[] =>
  verdicts
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { n: number; verdict: string; source?: string })
    .filter(({ verdict, source }) => verdict !== 'drop' && source !== undefined)
    .map(({ n }) => n)

function comparePackets(
  actual: readonly LeavingPacket[],
  expected: readonly LeavingPacket[],
  numbers: readonly number[],
): string[] {
  const count =
    actual.length === expected.length ? [] : [`expected ${expected.length} packets out, got ${actual.length}`]
  const differences = expected.slice(0, actual.length).flatMap(({ timestamp, bytes }, i) => {
    const place = `packet ${i + 1} out (of packet ${numbers[i]} in)`
    const lines = describeDifference(actual[i]!.bytes, bytes).map((line) => `${place}: ${line}`)
    const time = actual[i]!.timestamp
    return time === timestamp ? lines : [`${place}: expected time ${timestamp} ns, got ${time}`, ...lines]
  })
  return [...count, ...differences]
}
