import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OnehopError } from '../errors.ts'
import { runCommand } from './command.ts'
import { journalPath, writeJournal } from './journal.ts'
import type { Step } from './transition.ts'

/** Takes one step; throws OnehopError. */
export async function applyStep(step: Step, runDir: string): Promise<void> {
  switch (step.kind) {
    case 'command':
      await runCommand(step.command)
      return
    case 'sysctl':
      return writeSysctl(step.key, step.value)
    case 'journal':
      return writeJournal(runDir, step.tun, step.journal)
  }
}

/** An interface that is gone took its sysctls along. */
function writeSysctl(key: string, value: string): void {
  try {
    writeFileSync(join('/proc/sys', key), value)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    throw new OnehopError('E_NETWORK', `${sysctlText(key, value)}: ${code}${needOf(code)}`, { cause })
  }
}

const needOf = (code: string | undefined): string =>
  code === 'EROFS' ? ' (/proc/sys is mounted read-only here)' : code === 'EACCES' ? ' (need root)' : ''

/** sysctl(8) takes slashes, which interface names do not have, where it otherwise takes dots, which they do. */
const sysctlText = (key: string, value: string): string => `sysctl -qw ${quote(`${key}=${value}`)}`

/** The step as a person would type it. */
export function formatStep(step: Step, runDir: string): string {
  switch (step.kind) {
    case 'command': {
      const { argv, input } = step.command
      const line = argv.map(quote).join(' ')
      return input === undefined ? line : `${line} <<'EOF'\n${input}EOF`
    }
    case 'sysctl':
      return sysctlText(step.key, step.value)
    case 'journal':
      return formatJournal(step, runDir)
  }
}

function formatJournal({ tun, journal }: Extract<Step, { kind: 'journal' }>, runDir: string): string {
  const path = journalPath(runDir, tun)
  if (journal === undefined) return `# forget ${path}`
  const values = journal.sysctls.map(({ key, before }) => `#   ${key} = ${before}`)
  return [`# remember in ${path}:`, ...values].join('\n')
}

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
