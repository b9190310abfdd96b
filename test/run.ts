/**
 * `npm test [-- PART…]`: runs the test files whose path contains any of the parts (all without parts), prints
 * what failed or was skipped, and ends with the totals alone on a line.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'

const FOLDER = import.meta.dirname
const MINUTE_MS = 60_000

/** Those with traffic share the machine's processors and clocks, so they run one at a time. */
const STAGES = [
  { folders: ['unit', 'vectors', 'property', 'fuzz'], concurrency: 2, timeoutMs: 10 * MINUTE_MS },
  { folders: ['integration', 'netns'], concurrency: 1, timeoutMs: 20 * MINUTE_MS },
] as const

interface Totals {
  passed: number
  failed: number
  skipped: number
}

/** Of node:test's events, what is read here. */
interface TestEvent {
  readonly name: string
  readonly file?: string
  readonly nesting: number
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error }
}

async function main(parts: readonly string[]): Promise<number> {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 }
  for (const { folders, concurrency, timeoutMs } of STAGES) {
    const files = folders.flatMap(testFiles).filter((file) => isWanted(file, parts))
    if (files.length > 0) await runFiles(files, concurrency, timeoutMs, totals)
  }
  const { passed, failed, skipped } = totals
  if (passed + failed === 0) console.log(`no test ran${parts.length > 0 ? ` for ${parts.join(' ')}` : ''}`)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return failed > 0 || passed === 0 ? 1 : 0
}

function testFiles(folder: string): string[] {
  const path = join(FOLDER, folder)
  if (!existsSync(path)) return []
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(path, file))
    .sort()
}

const isWanted = (file: string, parts: readonly string[]): boolean =>
  parts.length === 0 || parts.some((part) => relative(FOLDER, file).includes(part))

/** Each file is a process of its own, started with this process's `--import tsx`. */
async function runFiles(
  files: string[],
  concurrency: number,
  timeout: number,
  totals: Totals,
): Promise<void> {
  const events = run({ files, concurrency, timeout })
  for await (const { type, data } of events) {
    if (type === 'test:stderr') process.stderr.write(data.message)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    countEvent(data as TestEvent, type === 'test:pass', totals)
  }
}

/** A test that holds others is counted by them, unless it failed by itself. */
function countEvent(event: TestEvent, hasPassed: boolean, totals: Totals): void {
  if (!hasPassed) {
    if (isOnlyBySubtests(event)) return
    totals.failed++
    console.log(`\n✖ ${placeOf(event)}\n${describeError(event.details.error)}`)
  } else if (isSkipped(event)) {
    totals.skipped++
    console.log(`\n﹣ ${placeOf(event)}: skipped, ${reasonOf(event)}`)
  } else if (isWholeFile(event)) {
    totals.failed++
    console.log(`\n✖ ${placeOf(event)}\n  no test in this file`)
  } else if (event.details.type !== 'suite') totals.passed++
}

const isOnlyBySubtests = ({ details }: TestEvent): boolean =>
  (details.error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed'

const isSkipped = ({ skip, todo }: TestEvent): boolean =>
  (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false)

const reasonOf = ({ skip, todo }: TestEvent): string => {
  const reason = typeof skip === 'string' && skip !== '' ? skip : todo
  return typeof reason === 'string' && reason !== '' ? reason : 'no reason given'
}

/** node:test reports a file under its own path only when it died or had no tests. */
const isWholeFile = ({ name, file }: TestEvent): boolean => name === file

const placeOf = ({ name, file, details }: TestEvent): string =>
  `${file === undefined ? '' : `${relative(FOLDER, file)}: `}${name === file ? '' : name} (${Math.round(details.duration_ms)} ms)`

/** node:test wraps what a test threw. */
function describeError(error: Error | undefined): string {
  const cause = error?.cause ?? error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return text.replace(/^/gm, '  ')
}

// Last, for the constants above must exist by now.
process.exitCode = await main(process.argv.slice(2))
