import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Running } from '../lab/running.ts'
import { buildFuzzers, FUZZ } from './build.ts'
import { writeSeeds } from './seeds.ts'

export const TARGETS = ['pipeline', 'snapshot', 'netlink'] as const
export type Target = (typeof TARGETS)[number]

/**
 * An execution stays short, so that there are many: a few packets or messages, a snapshot of a few services. Without the
 * counters an input is kept for the edges it reaches, and not for how often.
 */
const LENGTH_AT_MOST: Readonly<Record<Target, number>> = { pipeline: 256, snapshot: 1024, netlink: 256 }
const ARGUMENTS = ['-use_counters=0', '-entropic=0', '-reload=0', '-detect_leaks=0', '-print_final_stats=1']

/** Nothing is allocated by an execution, so what the sanitizer remembers of allocations may be little. */
const ENVIRONMENT = {
  ASAN_OPTIONS: 'quarantine_size_mb=1:malloc_context_size=2',
  UBSAN_OPTIONS: 'print_stacktrace=1',
}

export interface Limits {
  readonly seconds: number
  readonly seed: number
}

/** What libFuzzer says at its end. */
export interface Result {
  readonly executions: number
  /** The pipeline's: how many packets had each reason, by `verdict reason`. */
  readonly reasons: ReadonlyMap<string, number>
  /** Edges of the engine that inputs reached; how many there are cannot be said, for the sanitizer's own are among them. */
  readonly edges: number
  /** What it printed, if it ended otherwise than at the end of its time. */
  readonly finding: string | undefined
}

/** What runs found worth keeping, for the next one to begin with; not committed, for it is soon found again. */
export const keptInputs = (target: Target): string => made(join(FUZZ, 'build', 'kept', target))
/** An input that breaks something is written here. */
const findings = (): string => made(join(FUZZ, 'build', 'findings'))
/** Inputs that were findings once, committed. */
export const pastFindings = (target: Target): readonly string[] => {
  const folder = join(FUZZ, 'findings', target)
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

/** Builds what has changed, and fuzzes from what the vectors send and from what `kept` holds, where it adds to. */
export async function fuzz(target: Target, kept: string, { seconds, seed }: Limits): Promise<Result> {
  const seeds = mkdtempSync(join(tmpdir(), 'onehop-seeds-'))
  try {
    writeSeeds(target, seeds)
    const limits = [`-max_total_time=${seconds}`, `-seed=${seed}`, `-max_len=${LENGTH_AT_MOST[target]}`]
    return await run(target, [...limits, kept, seeds])
  } finally {
    rmSync(seeds, { recursive: true })
  }
}

/** Runs each input once. */
export const replay = (target: Target, files: readonly string[]): Promise<Result> =>
  run(target, ['-runs=1', ...files])

async function run(target: Target, argv: readonly string[]): Promise<Result> {
  const program = join(await buildFuzzers(), `${target}_fuzzer`)
  const prefix = `-artifact_prefix=${join(findings(), target)}-`
  const running = new Running([program, ...ARGUMENTS, prefix, ...argv], { env: ENVIRONMENT })
  const { code } = await running.exited
  const text = running.stderr
  return {
    executions: Number(/number_of_executed_units: (\d+)/.exec(text)?.[1] ?? 0),
    edges: Number(/[\s\S]* cov: (\d+)/.exec(text)?.[1] ?? 0),
    reasons: new Map(
      Array.from(text.matchAll(/^reason: (.*): (\d+)$/gm), ([, reason, count]) => [reason!, Number(count)]),
    ),
    finding: code === 0 ? undefined : text.slice(-6_000),
  }
}

/** `pipeline: 4,694,850 executions (234,742/s), 10,353,022 packets, 862 edges`. */
export function describe(target: Target, { executions, reasons, edges }: Result, seconds: number): string {
  const packets = [...reasons.values()].reduce((sum, count) => sum + count, 0)
  return [
    `${target}: ${inThousands(executions)} executions (${inThousands(executions / seconds)}/s)`,
    ...(packets > 0 ? [`${inThousands(packets)} packets`] : []),
    `${edges} edges`,
  ].join(', ')
}

const inThousands = (number: number): string => Math.round(number).toLocaleString('en')

function made(folder: string): string {
  mkdirSync(folder, { recursive: true })
  return folder
}
