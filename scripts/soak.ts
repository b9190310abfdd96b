/** A long run of what test/integration/soak.test.ts does for a minute. */
import { parseArgs } from 'node:util'
import { soak } from '../test/support/soak/soak.ts'

const USAGE = `usage: scripts/soak.sh [--minutes N] [--fastpath auto|off]

Mixed traffic (60 minutes) while an operator changes table, containers and config; a line every minute. In the end memory
must be what it was (2 %; 10 % in less than half an hour), no request have failed, each packet have one verdict, and no
descriptor or thread be left over.`

class UsageError extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const { minutes: text = '60', fastpath = 'auto' } = values
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new UsageError(`--minutes ${text}: expected a whole number above 0`)
  if (fastpath !== 'auto' && fastpath !== 'off')
    throw new UsageError(`--fastpath ${fastpath}: expected auto or off`)
  const minutes = Number(text)
  const memoryTolerance = minutes >= 30 ? 0.02 : 0.1
  const problems = await soak({ minutes, fastpath, memoryTolerance, tell: console.log })
  for (const problem of problems) console.log(`✖ ${problem}`)
  if (problems.length === 0) console.log(`✔ ${minutes} min`)
  return problems.length === 0 ? 0 : 1
}

const OPTIONS = {
  help: { type: 'boolean' },
  minutes: { type: 'string' },
  fastpath: { type: 'string' },
} as const

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `soak: ${(error as Error).message}\n${USAGE}` : error)
  process.exitCode = isUsage ? 2 : 1
}
