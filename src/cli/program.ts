import type { Writable } from 'node:stream'
import { Command, CommanderError } from 'commander'
import { EXIT_CODES, formatExitStatuses, messageOf, OnehopError } from '../errors.ts'
import { readVersion } from '../version.ts'
import { type CliContext, print } from './context.ts'
import { shareExamples } from './help.ts'
import { loadModule } from './load-module.ts'

export interface CliInput {
  /** The arguments after the program's name. */
  readonly argv: readonly string[]
  readonly env: CliContext['env']
  readonly stdout: Writable
  readonly stderr: Writable
}

/** A defect of ours (EX_SOFTWARE of sysexits.h). */
const EXIT_DEFECT = 70

/** Each is one file here, exporting `addRunCommand(program, context)` and so on; help lists them in this order. */
const COMMANDS = [
  'run',
  'routes',
  'status',
  'top',
  'containers',
  'table',
  'explain',
  'plan',
  'apply',
  'what-if',
  'events',
  'capture',
  'trace',
  'drops',
  'doctor',
  'check',
  'replay',
  'man',
  'completion',
] as const

/** Runs one command line to its end and returns the exit code. Never throws. */
export async function runCli({ argv, env, stdout, stderr }: CliInput): Promise<number> {
  const context: CliContext = { env, stdout, stderr, exitCode: 0 }
  ignoreBrokenPipe(stdout)
  ignoreBrokenPipe(stderr)
  try {
    const program = await buildProgram(context)
    await program.parseAsync(argv, { from: 'user' })
    return context.exitCode
  } catch (error) {
    return await reportError(error, stderr)
  }
}

/** `onehop … | head` ends the reader first: that is no error of ours. */
function ignoreBrokenPipe(stream: Writable): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

/** All commands as they are defined; the manual and the tests read them. */
export async function buildProgram(context: CliContext): Promise<Command> {
  const program = new Command('onehop')
    .description("Takes a client's packets from a service's public address to its container in one hop.")
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(onehop --help, or onehop COMMAND --help, says more)')
    .addHelpText(
      'after',
      `\nExamples:\n  onehop run --config onehop.yaml\n  onehop help table\n\n${formatExitStatuses()}`,
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'onehop: ')),
    })
  for (const name of COMMANDS) await addCommand(name, program, context)
  shareExamples(program)
  return program
}

/** A command that cannot be loaded says so when it is called, and takes no other along. */
async function addCommand(name: string, program: Command, context: CliContext): Promise<void> {
  try {
    const module = await loadModule(`./${name}.ts`)
    const title = name.replace(/(?:^|-)./g, (letter) => letter.at(-1)!.toUpperCase())
    const add = module[`add${title}Command`] as AddCommand
    add(program, context)
  } catch (error) {
    program
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw error
      })
  }
}

type AddCommand = (program: Command, context: CliContext) => void

async function reportError(error: unknown, stderr: Writable): Promise<number> {
  // commander has printed its own by now; help and version end here too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.E_USAGE
  await print(stderr, `onehop: ${messageOf(error)}\n`)
  return error instanceof OnehopError ? EXIT_CODES[error.code] : EXIT_DEFECT
}
