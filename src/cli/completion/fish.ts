import type { CompletedCommand, CompletedOption, CompletedValue } from './commands.ts'

/** A `complete` for each thing that may follow, on the condition that the words before it lead there. */
export const formatFish = (commands: readonly CompletedCommand[]): string => `# fish completion of onehop

# The command that the words before the cursor name, and how many arguments of it they hold.
function __onehop_place
    set -l commands ${commands.map(({ path }) => quote(path)).join(' ')}
    set -l valued ${commands.flatMap(valued).map(quote).join(' ')}
    set -l path onehop
    set -l place 0
    set -l is_value false
    for word in (commandline -opc)[2..-1]
        if string match -q -- '-*' $word
            set is_value false
            contains -- "$path $word" $valued; and set is_value true
        else if $is_value
            set is_value false
        else if contains -- "$path $word" $commands
            set path "$path $word"
        else
            set place (math $place + 1)
        end
    end
    echo "$path $place"
end

function __onehop_in
    string match -qr -- "^$argv \\d+\\$" (__onehop_place)
end

function __onehop_at
    test "$argv" = (__onehop_place)
end

complete -c onehop -f
${commands.flatMap(formatCommand).join('\n')}
`

const valued = ({ path, options }: CompletedCommand): string[] =>
  options
    .filter(({ value }) => value !== undefined)
    .flatMap(({ names }) => names.map((name) => `${path} ${name}`))

const formatCommand = ({ path, subcommands, options, arguments: values }: CompletedCommand): string[] => [
  ...options.map((option) => formatOption(path, option)),
  ...subcommands.map(
    ({ name, description }) => `${when(`at ${path} 0`)} -a ${quote(name)} -d ${quote(description)}`,
  ),
  ...values.flatMap((value, i) =>
    value.values === 'any' ? [] : [`${when(`at ${path} ${i}`)} ${formatValue(value)}`],
  ),
]

function formatOption(path: string, { names, description, value }: CompletedOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const after = value === undefined ? '' : ` ${value.isOptional ? '' : '-r '}${formatValue(value)}`
  return `${when(`in ${path}`)} ${flags.join(' ')}${after} -d ${quote(description)}`
}

function formatValue({ values }: CompletedValue): string {
  if (values === 'any') return '-f'
  return values === 'file' ? '-F' : `-f -a ${quote(values.join(' '))}`
}

const when = (condition: string): string => `complete -c onehop -n ${quote(`__onehop_${condition}`)}`

const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
