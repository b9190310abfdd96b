import { Argument, type Command } from 'commander'
import { formatBash } from './completion/bash.ts'
import { completedCommands } from './completion/commands.ts'
import { formatFish } from './completion/fish.ts'
import { formatZsh } from './completion/zsh.ts'
import { type CliContext, print } from './context.ts'

const SHELLS = { bash: formatBash, zsh: formatZsh, fish: formatFish } as const

const EXAMPLES = `
Examples:
  onehop completion bash > /usr/share/bash-completion/completions/onehop
  onehop completion zsh > /usr/local/share/zsh/site-functions/_onehop
  onehop completion fish > ~/.config/fish/completions/onehop.fish`

export function addCompletionCommand(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('print the script by which a shell completes onehop')
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: keyof typeof SHELLS) => print(context.stdout, SHELLS[shell](completedCommands(program))))
}
