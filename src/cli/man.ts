import type { Command } from 'commander'
import { EXIT_STATUSES } from '../errors.ts'
import { readVersion } from '../version.ts'
import { type CliContext, print } from './context.ts'
import { commandsUnder, examplesOf, notesOf, pathOf } from './help.ts'

const EXAMPLES = `
Examples:
  onehop man > onehop.1
  onehop man | man -l -`

export function addManCommand(program: Command, context: CliContext): void {
  program
    .command('man')
    .description('print the manual page, onehop(1)')
    .addHelpText('after', EXAMPLES)
    .action(() => print(context.stdout, formatManual(program, new Date())))
}

const FILES = [
  ['/run/onehop/TUN.sock', 'the control socket of the daemon that has this TUN interface'],
  ['/run/onehop', 'what must be undone after a crash (--run-dir)'],
  ['/var/lib/onehop', 'the key, and the table over restarts (--state-dir, --store)'],
] as const

const ENVIRONMENT = [
  ['NO_COLOR', 'no colours, whatever its value'],
  ['KUBECONFIG', "Kubernetes' credentials, as kubectl reads them"],
  ['NODE_NAME', 'the node that "node: local" means'],
] as const

/** The manual page in the macros of man(7), from the commands as they are defined. */
export function formatManual(program: Command, date: Date): string {
  const day = date.toISOString().slice(0, 10)
  return [
    `.TH ONEHOP 1 ${day} "onehop ${readVersion()}" "User Commands"\n`,
    `.SH NAME\n${fill(`onehop - ${lowerFirst(program.description()).replace(/\.$/, '')}`)}\n`,
    '.SH SYNOPSIS\n.B onehop\n.I command\n[\\fIoptions\\fR] [\\fIarguments\\fR]\n',
    `.SH DESCRIPTION\n${fill(program.description())}\n`,
    '.SH COMMANDS\n',
    ...commandsUnder(program).slice(1).map(formatCommand),
    `.SH EXIT STATUS\n${EXIT_STATUSES.map(([code, meaning]) => item(String(code), meaning)).join('')}`,
    `.SH FILES\n${FILES.map(([path, meaning]) => item(path, meaning)).join('')}`,
    `.SH ENVIRONMENT\n${ENVIRONMENT.map(([name, meaning]) => item(name, meaning)).join('')}`,
  ].join('')
}

function formatCommand(command: Command): string {
  const help = command.createHelp()
  const options = help
    .visibleOptions(command)
    .map((option) => item(option.flags, help.optionDescription(option)))
  const values = help
    .visibleArguments(command)
    .map((value) => item(help.argumentTerm(value), help.argumentDescription(value)))
  const examples = examplesOf(command)
  const notes = notesOf(command)
  return [
    `.SS ${quote(`${pathOf(command)} ${command.usage()}`)}\n${fill(`${command.description()}.`)}\n`,
    ...values,
    ...options,
    ...(notes === '' ? [] : notes.split('\n\n').map((paragraph) => `.PP\n${fill(paragraph)}\n`)),
    ...(examples.length === 0 ? [] : [`.PP\n.nf\n${quote(examples.join('\n'))}\n.fi\n`]),
  ].join('')
}

const item = (term: string, meaning: string): string => `.TP\n.B ${quote(term)}\n${fill(meaning)}\n`

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

const WIDTH = 78

/** Prose as roff reads it, in short lines: a paragraph stays one, whatever lines it had. */
function fill(text: string): string {
  const lines = ['']
  for (const word of quote(text).split(/\s+/))
    if (lines.at(-1)!.length + word.length < WIDTH) lines.push(`${lines.pop()} ${word}`.trimStart())
    else lines.push(word)
  return lines.map(shield).join('\n')
}

/** roff takes a backslash as its own, and a bare hyphen as a dash. */
const quote = (text: string): string => text.replace(/\\/g, '\\e').replace(/-/g, '\\-')

/** A dot or a quote that begins a line would be a request. */
const shield = (line: string): string => line.replace(/^(?=[.'])/, '\\&')
