import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/running.ts'
import { encodeWorlds } from './worlds.ts'

export const FUZZ = join(import.meta.dirname, '..', '..', '..', 'native', 'fuzz')

/** `coverage` counts lines and branches for llvm-cov, and is slower. */
export type Kind = 'fuzz' | 'coverage'

const MINUTES_MS = 10 * 60_000

/** Builds what has changed, and puts the worlds beside it. Returns the folder with the fuzzers. */
export async function buildFuzzers(kind: Kind = 'fuzz'): Promise<string> {
  const folder = join(FUZZ, 'build', kind)
  await requireClang()
  await run(['make', '-C', FUZZ, '-j2', '--no-print-directory', `KIND=${kind}`], { timeoutMs: MINUTES_MS })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'worlds'), encodeWorlds())
  return folder
}

async function requireClang(): Promise<void> {
  try {
    await run(['clang++', '--version'])
  } catch (cause) {
    throw new Error('the fuzzers need clang++ with libFuzzer: ./scripts/install.sh --for test', { cause })
  }
}
