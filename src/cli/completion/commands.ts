/** What can stand on a command line, from the commands as they are defined; each shell's script is printed from this. */
import type { Argument, Command, Option } from 'commander'
import { commandsUnder, pathOf } from '../help.ts'

/** One of some words, the name of a file, or what no script can know. */
export type Values = readonly string[] | 'file' | 'any'

export interface CompletedValue {
  readonly name: string
  readonly values: Values
  /** Of an option: it may stand without. */
  readonly isOptional: boolean
  /** Of an argument: more may follow. */
  readonly isVariadic: boolean
}

export interface CompletedOption {
  /** `-c`, `--config` */
  readonly names: readonly string[]
  readonly description: string
  readonly value: CompletedValue | undefined
}

export interface Subcommand {
  readonly name: string
  readonly description: string
}

export interface CompletedCommand {
  /** `onehop table pin` */
  readonly path: string
  /** None, or they stand in the place of the first argument. */
  readonly subcommands: readonly Subcommand[]
  readonly options: readonly CompletedOption[]
  readonly arguments: readonly CompletedValue[]
}

/** All commands, each group's `help` among them. */
export const completedCommands = (program: Command): readonly CompletedCommand[] =>
  commandsUnder(program).flatMap((command) =>
    command.commands.length === 0 ? [complete(command)] : [complete(command), helpOf(command)],
  )

function complete(command: Command): CompletedCommand {
  const help = command.createHelp()
  return {
    path: pathOf(command),
    subcommands: help
      .visibleCommands(command)
      .map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: help.visibleOptions(command).map(completeOption),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      values: valuesOf(argument.name(), argument),
      isOptional: !argument.required,
      isVariadic: argument.variadic,
    })),
  }
}

/** `onehop help` and `onehop table help` take the names beside them. */
function helpOf(group: Command): CompletedCommand {
  const values = complete(group)
    .subcommands.map(({ name }) => name)
    .filter((name) => name !== 'help')
  const argument = { name: 'command', values, isOptional: true, isVariadic: false }
  return { path: `${pathOf(group)} help`, subcommands: [], options: [], arguments: [argument] }
}

function completeOption(option: Option): CompletedOption {
  const [, name] = /[<[](.*)[>\]]$/.exec(option.flags) ?? []
  const value = name && {
    name,
    values: valuesOf(name, option),
    isOptional: option.optional,
    isVariadic: option.variadic,
  }
  return {
    names: [option.short, option.long].filter((one) => one !== undefined),
    description: option.description,
    value: value || undefined,
  }
}

/** The placeholders of the help that stand for a path. */
const FILES = ['file', 'path', 'socket', 'in', 'out']

const valuesOf = (name: string, { argChoices }: Option | Argument): Values =>
  argChoices ?? (FILES.includes(name) ? 'file' : 'any')
