import type { CompletedCommand, CompletedOption, CompletedValue } from './commands.ts'

/** A function a command, each a call of zsh's own _arguments; a group's hands the rest to the one below it. */
export const formatZsh = (commands: readonly CompletedCommand[]): string => `#compdef onehop

${commands.map((command) => (command.subcommands.length > 0 ? formatGroup(command) : formatCommand(command))).join('\n')}
# Found by its name and called for the first completion, or sourced.
if [[ $funcstack[1] == _onehop ]]; then
  _onehop "$@"
else
  compdef _onehop onehop
fi
`

const formatCommand = (command: CompletedCommand): string => `${functionOf(command)}() {
  _arguments${[...command.options.flatMap(formatOption), ...command.arguments.map(formatArgument)].map(line).join('')}
}
`

const formatGroup = (group: CompletedCommand): string => `${functionOf(group)}() {
  local curcontext=$curcontext context state state_descr line
  typeset -A opt_args
  local -a commands=(${group.subcommands.map(({ name, description }) => line(`${name}:${description}`)).join('')}
  )
  _arguments -C${[...group.options.flatMap(formatOption), '1:command:->command', '*:: :->rest'].map(line).join('')}
  case $state in
    command) _describe -t commands command commands ;;
    rest) (( ! $+functions[${functionOf(group)}_$words[1]] )) || ${functionOf(group)}_$words[1] ;;
  esac
}
`

const functionOf = ({ path }: CompletedCommand): string => `_${path.replaceAll(' ', '_')}`

/** Any may be given again: which of them are repeatable is not commander's to know. */
const formatOption = ({ names, description, value }: CompletedOption): string[] =>
  names.map((name) => {
    const equals = value !== undefined && name.startsWith('--') ? '=' : ''
    const message = value === undefined ? '' : `${value.isOptional ? '::' : ':'}${formatValue(value)}`
    return `*${name}${equals}[${description.replace(/[[\]\\]/g, '\\$&')}]${message}`
  })

const formatArgument = (value: CompletedValue, i: number): string =>
  `${value.isVariadic ? '*' : i + 1}:${formatValue(value)}`

function formatValue({ name, values }: CompletedValue): string {
  const message = name.replaceAll(':', '\\:')
  if (values === 'any') return `${message}: `
  return values === 'file' ? `${message}:_files` : `${message}:(${values.join(' ')})`
}

const line = (word: string): string => ` \\\n    '${word.replaceAll("'", "'\\''")}'`
