import type { CompletedCommand, CompletedOption, Values } from './commands.ts'

/**
 * bash completes words, without descriptions. The script walks the words up to the cursor and looks up what
 * may follow: after an option, at an argument's place (counted from 0), or as an option (`-`).
 */
export const formatBash = (commands: readonly CompletedCommand[]): string => `# bash completion of onehop

# Into \`expected\`: what may stand at a place of a command. <file> and <any> are no words.
_onehop_expect() {
  case $1 in
${commands.flatMap(placesOf).join('\n')}
    *) return 1 ;;
  esac
}

_onehop() {
  local current=\${COMP_WORDS[COMP_CWORD]} path=onehop expected= place=0 i word
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # bash breaks 10.0.0.1:80 and --name=value, too, and what breaks them is a word.
    if [[ $word == [:=]* || \${COMP_WORDS[i - 1]} == :* ]]; then
      continue
    elif [[ $word == -* ]]; then
      expected=
      _onehop_expect "$path $word"
    elif [[ -n $expected ]]; then
      expected=
    elif _onehop_expect "$path $word -"; then
      path+=" $word" expected=
    else
      ((place += 1))
    fi
  done
  [[ $current != = ]] || current=
  if [[ $current == -* ]]; then
    _onehop_expect "$path -"
  elif [[ -z $expected ]]; then
    _onehop_expect "$path $place"
  fi
  case $expected in
    '' | '<any>') ;;
    '<file>')
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$expected" -- "$current") ;;
  esac
}

complete -F _onehop onehop
`

const placesOf = ({ path, subcommands, options, arguments: values }: CompletedCommand): string[] => [
  place(
    [`${path} -`],
    options.flatMap(({ names }) => names),
  ),
  ...options.flatMap((option) => afterOption(path, option)),
  ...(subcommands.length === 0
    ? []
    : [
        place(
          [`${path} 0`],
          subcommands.map(({ name }) => name),
        ),
      ]),
  ...values.map((value, i) => place([`${path} ${i}`], value.values)),
]

const afterOption = (path: string, { names, value }: CompletedOption): string[] =>
  value === undefined
    ? []
    : [
        place(
          names.map((name) => `${path} ${name}`),
          value.values,
        ),
      ]

const place = (keys: readonly string[], values: Values): string =>
  `    ${keys.map((key) => `'${key}'`).join(' | ')}) expected='${typeof values === 'string' ? `<${values}>` : values.join(' ')}' ;;`
