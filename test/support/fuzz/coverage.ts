import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, normalize, relative } from 'node:path'
import { run } from '../lab/running.ts'
import { buildFuzzers, FUZZ } from './build.ts'
import { keptInputs, TARGETS } from './fuzzer.ts'
import { writeSeeds } from './seeds.ts'

interface Covered {
  readonly count: number
  readonly covered: number
}

interface FileCoverage {
  readonly filename: string
  readonly summary: { readonly lines: Covered; readonly branches: Covered }
}

const SOURCES = join(FUZZ, '..', 'src')

/** Runs what every fuzzer begins with, and what was kept, and prints how much of the engine's files that reaches. */
export async function printCoverage(): Promise<void> {
  const files = await measureCoverage()
  console.log('lines    branches')
  for (const { filename, summary } of [...files, totalOf(files)])
    console.log(`${share(summary.lines)}   ${share(summary.branches)}   ${relative(SOURCES, filename)}`)
}

async function measureCoverage(): Promise<readonly FileCoverage[]> {
  const folder = await buildFuzzers('coverage')
  const scratch = mkdtempSync(join(tmpdir(), 'onehop-coverage-'))
  try {
    const programs = TARGETS.map((target) => join(folder, `${target}_fuzzer`))
    for (const [i, target] of TARGETS.entries()) {
      const seeds = mkdtempSync(join(scratch, target))
      writeSeeds(target, seeds)
      await run([programs[i]!, '-runs=0', keptInputs(target), seeds], {
        env: { LLVM_PROFILE_FILE: join(scratch, `${target}.profraw`) },
      })
    }
    const profile = join(scratch, 'profile')
    await run([
      'llvm-profdata',
      'merge',
      '-o',
      profile,
      ...TARGETS.map((target) => join(scratch, `${target}.profraw`)),
    ])
    const objects = programs.slice(1).flatMap((program) => ['-object', program])
    const text = await run([
      'llvm-cov',
      'export',
      '-summary-only',
      '-instr-profile',
      profile,
      programs[0]!,
      ...objects,
    ])
    const [{ files }] = JSON.parse(text).data as [{ readonly files: readonly FileCoverage[] }]
    return files
      .map((file) => ({ ...file, filename: normalize(file.filename) }))
      .filter(({ filename }) => filename.startsWith(SOURCES))
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

const totalOf = (files: readonly FileCoverage[]): FileCoverage => ({
  filename: join(SOURCES, 'all'),
  summary: {
    lines: sumOf(files.map(({ summary }) => summary.lines)),
    branches: sumOf(files.map(({ summary }) => summary.branches)),
  },
})

const sumOf = (parts: readonly Covered[]): Covered => ({
  count: parts.reduce((sum, { count }) => sum + count, 0),
  covered: parts.reduce((sum, { covered }) => sum + covered, 0),
})

const share = ({ count, covered }: Covered): string =>
  `${(count === 0 ? 100 : (covered * 100) / count).toFixed(1).padStart(5)} %`
