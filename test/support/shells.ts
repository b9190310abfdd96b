/** What real shells complete. A line is its words, the last of them the one under the cursor. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Line = readonly string[]

/** What a shell offers for each line, sorted, in `folder`; `script` completes onehop. */
export type Complete = (script: string, lines: readonly Line[], folder: string) => readonly string[][]

const END = '@end@'

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function askShell(shell: readonly string[], asking: string, folder: string): string[][] {
  const { stdout, stderr, error } = spawnSync(shell[0]!, [...shell.slice(1), asking], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (error !== undefined || stderr !== '') throw new Error(`${shell[0]}: ${error?.message ?? ''}${stderr}`)
  return answersIn(stdout)
}

/** A word a line, what is behind a tab is its description; END after those of one line. */
const answersIn = (output: string): string[][] =>
  output
    .split(`${END}\n`)
    .slice(0, -1)
    .map((words) =>
      [...new Set(words.split('\n').map((word) => word.split('\t')[0]!))].filter(Boolean).sort(),
    )

/** As bash does it: the function that the script declares finds COMP_WORDS and leaves COMPREPLY. */
const completeBash: Complete = (script, lines, folder) =>
  askShell(
    ['bash', '--norc', '-c'],
    `${script}
    ask() {
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      "$(complete -p onehop | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
      printf '%s\\n' "\${COMPREPLY[@]}" ${END}
    }
    ${lines.map((words) => `ask ${words.flatMap(breakWord).map(quote).join(' ')}`).join('\n')}`,
    folder,
  )

/** What COMP_WORDBREAKS does: --name=value and 10.0.0.1:80 are three words. */
const breakWord = (word: string): readonly string[] =>
  word === '' ? [word] : word.split(/([:=]+)/).filter((part) => part !== '')

const completeFish: Complete = (script, lines, folder) =>
  askShell(
    ['fish', '--no-config', '-c'],
    `${script}
    ${lines.map((words) => `complete -C ${quote(words.join(' '))} | sed 's/^--[^=\t]*=//'; echo ${END}`).join('\n')}`,
    folder,
  )

/**
 * zsh completes only in its line editor, so one runs on a terminal of its own. What its completion adds goes
 * through compadd, which says first what of it fits the word under the cursor.
 */
const completeZsh: Complete = (script, lines, folder) => {
  writeFileSync(join(folder, '..', '_onehop'), script)
  writeFileSync(
    join(folder, '..', 'inside.zsh'),
    `PS1= LISTMAX=1000
    fpath=(\${PWD:h} $fpath)
    autoload -Uz compinit && compinit -u -D
    compadd() {
      local -a fitting
      if [[ "\${@[1,(i)(-|--)]}" != *-[OAD]' '* ]]; then
        builtin compadd -O fitting "$@"
        print -rl -- $fitting >> $ANSWERS
      fi
      builtin compadd "$@"
    }
    answer() {
      _main_complete
      print ${END} >> $ANSWERS
      compstate[insert]= compstate[list]=
    }
    zle -C answer complete-word answer
    bindkey '^T' answer
    bindkey '^X' kill-whole-line
    print ready`,
  )
  return askShell(
    ['zsh', '-f', '-c'],
    `zmodload zsh/zpty
    export ANSWERS=$PWD/../answers TERM=dumb
    : > $ANSWERS
    zpty inside zsh -f -i
    zpty -w inside 'source ../inside.zsh'
    zpty -r inside seen '*ready*'
    for words in ${lines.map((words) => quote(words.join(' '))).join(' ')}; do
      zpty -n -w inside "$words"$'\\C-T\\C-X'
    done
    zpty -w inside 'print fini""shed'
    zpty -r inside seen '*finished*'
    zpty -d inside
    cat $ANSWERS`,
    folder,
  )
}

export const SHELLS = { bash: completeBash, zsh: completeZsh, fish: completeFish } as const
