/** Programs of the benchmark that are processes of their own, because their memory is a figure or their work would disturb. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../support/lab/running.ts'

const PATIENCE_MS = 180_000

/** What a program of this folder prints, as JSON. It ends with this process, or when it takes too long; then this rejects. */
export async function runProgram<Figures>(name: string, ...argv: readonly string[]): Promise<Figures> {
  const node = [process.execPath, '--expose-gc', '--import', 'tsx']
  const output = await run([...node, join(import.meta.dirname, name), ...argv], { timeoutMs: PATIENCE_MS })
  return JSON.parse(output) as Figures
}

/** One after the other, so many times. */
export async function inTurn<Result>(rounds: number, act: () => Promise<Result>): Promise<readonly Result[]> {
  const results: Result[] = []
  for (let round = 0; round < rounds; round++) results.push(await act())
  return results
}

/** With a new folder, which is removed whatever happens, and also when a signal ends this process. */
export async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-bench-'))
  folders.add(folder)
  try {
    return await use(folder)
  } finally {
    remove(folder)
  }
}

const folders = new Set<string>()

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    for (const folder of folders) remove(folder)
    process.kill(process.pid, signal)
  })
