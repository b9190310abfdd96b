import type { Command } from 'commander'

/** A command and all those under it, in the order of the help. */
export function commandsUnder(command: Command): readonly Command[] {
  const visible = command.createHelp().visibleCommands(command)
  return [command, ...visible.filter((sub) => sub.name() !== 'help').flatMap(commandsUnder)]
}

/** `onehop table pin` */
export const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`

/** What a command's help says below its options. */
export function textAfterOptions(command: Command): string {
  const output = command.configureOutput()
  let text = ''
  command.configureOutput({ ...output, writeOut: (part) => (text += part) })
  command.outputHelp()
  command.configureOutput(output)
  return text.slice(command.helpInformation().length).trim()
}

const EXAMPLES = 'Examples:\n'

/** The examples of a command's help, each a command line; one that goes on behind a backslash is still one. */
export function examplesOf(command: Command): readonly string[] {
  const text = textAfterOptions(command)
  const start = text.indexOf(EXAMPLES)
  if (start < 0) return []
  const [block = ''] = text.slice(start + EXAMPLES.length).split('\n\n')
  return block.split(/(?<!\\)\n/).map((line) => line.trim())
}

/** What the help says besides examples. */
export const notesOf = (command: Command): string =>
  textAfterOptions(command)
    .split('\n\n')
    .filter((paragraph) => !paragraph.startsWith(EXAMPLES))
    .join('\n\n')

/** A subcommand without a text of its own shows those of the examples above it that are about it. */
export function shareExamples(program: Command): void {
  for (const group of program.commands)
    for (const command of group.commands)
      if (textAfterOptions(command) === '')
        command.addHelpText('after', () => {
          const own = examplesOf(group).filter(
            (line) => line.includes(`${pathOf(command)} `) || line.endsWith(pathOf(command)),
          )
          return `\n${EXAMPLES}${own.map((line) => `  ${line}`).join('\n')}`
        })
}
