/** What bash, zsh and fish themselves complete by the scripts of `onehop completion` is what commander defines. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { commandsUnder, pathOf } from '../../src/cli/help.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { onehop } from '../support/cli.ts'
import { SHELLS } from '../support/shells.ts'

const home = mkdtempSync(join(tmpdir(), 'onehop-completion-'))
after(() => rmSync(home, { recursive: true }))
const folder = join(home, 'folder')
mkdirSync(folder)
const FILES = ['in.pcap', 'onehop.yaml']
for (const name of FILES) writeFileSync(join(folder, name), '')

const { stdout, stderr } = process
const commands = commandsUnder(await buildProgram({ env: {}, stdout, stderr, exitCode: 0 }))

/** A line up to the cursor, and all that may stand there. */
type Case = readonly [line: string, expected: readonly string[]]

const optionCases: readonly Case[] = commands.map((command) => [
  `${pathOf(command)} -`,
  [...command.options.flatMap(({ short, long }) => [short, long]), '-h', '--help'].filter(
    (one) => one != null,
  ),
])

const subcommandCases: readonly Case[] = commands
  .filter((command) => command.commands.length > 0)
  .map((command) => [`${pathOf(command)} `, [...command.commands.map((sub) => sub.name()), 'help']])

const choiceCases: readonly Case[] = commands.flatMap((command) =>
  command.options
    .filter(({ argChoices }) => argChoices !== undefined)
    .map(({ long, argChoices }): Case => [`${pathOf(command)} ${long} `, argChoices!]),
)

const GROUPS = { options: optionCases, subcommands: subcommandCases, "options' choices": choiceCases }

const OTHERS: Readonly<Record<string, Case>> = {
  'what was begun': ['onehop ru', ['run']],
  'an option that was begun': ['onehop run --log', ['--log-level']],
  'a choice that was begun': ['onehop run --log-level inf', ['info']],
  'choices behind an equals sign': ['onehop table export --format=', ['csv', 'json']],
  'a choice that was begun behind one': ['onehop run --log-level=inf', ['info']],
  'an option behind one': ['onehop table export --format=csv --out', ['--output']],
  'a file behind an address': ['onehop explain 2001:db8::1 --table in', ['in.pcap']],
  'an argument of choices': ['onehop completion ', ['bash', 'zsh', 'fish']],
  'one argument, and no second': ['onehop completion bash f', []],
  'the commands that help is for': ['onehop help ta', ['table']],
  'a command below a group': ['onehop table un', ['unpin']],
  'a command though options stand before': ['onehop run --name table --log-level d', ['debug']],
  'the file of a long option': ['onehop run --config ', FILES],
  'the file of a short option': ['onehop run -c o', ['onehop.yaml']],
  'the file that is an argument': ['onehop check ', FILES],
  'a second file': ['onehop replay in.pcap ', FILES],
  'a file behind an option and its value': ['onehop table import --tun onehop1 in', ['in.pcap']],
  'no file where none is meant': ['onehop run --name ', []],
  'no file for the name of a container': ['onehop containers drain ', []],
  'no option of another command': ['onehop check --con', []],
}

const shells = await Promise.all(
  Object.entries(SHELLS).map(async ([shell, complete]) => {
    const script = (await onehop('completion', shell)).stdout
    const lines = (cases: readonly Case[]) => cases.map(([line]) => line.split(' '))
    return { shell, ask: (cases: readonly Case[]) => complete(script, lines(cases), folder) }
  }),
)

for (const { shell, ask } of shells) {
  for (const [what, cases] of Object.entries(GROUPS))
    test(`${shell} completes the ${what} of every command`, () => {
      assert.ok(cases.length > 1, `${cases.length} cases`)
      const answers = ask(cases)
      for (const [i, [line, expected]] of cases.entries())
        assert.deepEqual(answers[i], [...expected].sort(), line)
    })

  let answers: readonly string[][] | undefined
  for (const [i, [what, [line, expected]]] of Object.entries(OTHERS).entries())
    test(`${shell} completes ${what}`, () => {
      answers ??= ask(Object.values(OTHERS))
      assert.deepEqual(answers[i], [...expected].sort(), line)
    })
}
