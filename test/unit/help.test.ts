/** Every command there is, whoever adds it, has examples that parse, and stands in the manual. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Command } from 'commander'
import { commandsUnder, examplesOf, pathOf } from '../../src/cli/help.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { formatExitStatuses } from '../../src/errors.ts'
import { onehop } from '../support/cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-help-'))
after(() => rmSync(folder, { recursive: true }))
const manual = join(folder, 'onehop.1')
// Before the first test: newer Nodes end the tests they know of while a file still awaits.
writeFileSync(manual, (await onehop('man')).stdout)
const { stdout, stderr } = process

/** The program, with commands that do nothing; what they are called with is pushed to `called`. */
async function idleProgram(called: string[]): Promise<Command> {
  const program = await buildProgram({ env: {}, stdout, stderr, exitCode: 0 })
  program.configureOutput({ writeOut: () => {} })
  for (const command of commandsUnder(program))
    if (command.commands.length === 0) command.action(() => void called.push(pathOf(command)))
  return program
}

const paths = commandsUnder(await idleProgram([])).map(pathOf)
const find = (program: Command, path: string) => commandsUnder(program).find((one) => pathOf(one) === path)!

/** The words of each onehop in a shell line, by the shell itself. */
function onehopCalls(line: string): readonly string[][] {
  const shell = `onehop() { printf '%s\\0' "$@"; printf '\\n\\0'; }; ${line.replace(/[<>][^|&;]*/g, '')}`
  const calls = shell.slice(shell.indexOf('};') + 2).split(/&&|\|/)
  return calls
    .filter((call) =>
      call
        .trim()
        .replace(/^sudo /, '')
        .startsWith('onehop'),
    )
    .map((call) =>
      execFileSync('bash', ['-c', `${shell.slice(0, shell.indexOf('};') + 2)} ${call}`]).toString(),
    )
    .map((words) => words.split('\0').slice(0, -2))
}

test('the commands are found, those of groups too', () => {
  assert.ok(paths.length > 15, paths.join(', '))
  assert.ok(paths.includes('onehop table unpin'))
})

for (const path of paths)
  test(`${path} has examples, and they parse`, async () => {
    const called: string[] = []
    const examples = examplesOf(find(await idleProgram(called), path))
    assert.ok(examples.length > 0, 'no examples')
    for (const line of examples) {
      const calls = onehopCalls(line)
      assert.ok(calls.length > 0, `no onehop in: ${line}`)
      for (const words of calls) await parse(words, called, line)
    }
    const isCalled = called.some((one) => one === path || one.startsWith(`${path} `))
    assert.ok(isCalled, `none of its examples is about it: ${examples.join('; ')}`)
  })

/** `help X` ends by a throw of its own with code 0. */
async function parse(words: readonly string[], called: string[], line: string): Promise<void> {
  try {
    await (await idleProgram(called)).parseAsync(words, { from: 'user' })
  } catch (error) {
    assert.equal((error as { exitCode?: number }).exitCode, 0, `${line}: ${(error as Error).message}`)
  }
}

test('exit codes stand in the help and in the README as they are', async () => {
  const help = (await onehop('--help')).stdout
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
  for (const text of [help, readme]) {
    const statuses = /Exit codes: [^.]*\./.exec(text.replace(/\s+/g, ' '))?.[0]
    assert.equal(statuses?.replaceAll('`', ''), formatExitStatuses())
  }
})

/** Bold and underlined letters are struck over: what stands before a backspace is not there in the end. */
const unstruck = (text: string): string =>
  text
    .split('\b')
    .map((part, i, parts) => (i < parts.length - 1 ? part.slice(0, -1) : part))
    .join('')

for (const [title, argv] of [
  ['mandoc', ['mandoc', '-Tlint', manual]],
  ['groff', ['groff', '-man', '-ww', '-Tutf8', '-z', manual]],
] as const)
  test(`${title} finds nothing wrong with the manual`, () => {
    const { status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' })
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
  })

test('the manual as it is shown has every command, option, exit code and file', async () => {
  const shown = execFileSync('mandoc', ['-Tutf8', '-Owidth=200', manual]).toString()
  const flat = unstruck(shown).replace(/\s+/g, ' ')
  for (const command of commandsUnder(await idleProgram([])).slice(1)) {
    assert.ok(flat.includes(`${pathOf(command)} `), pathOf(command))
    for (const { flags } of command.options) assert.ok(flat.includes(flags), `${pathOf(command)} ${flags}`)
  }
  for (const word of ['EXIT STATUS', '/run/onehop', 'NO_COLOR', '70']) assert.ok(flat.includes(word), word)
})
