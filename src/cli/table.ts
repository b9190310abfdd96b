import { type Command, Option } from 'commander'
import type { Filter } from '../entries/filter.ts'
import type { OperatorPin } from '../pins.ts'
import { addDaemonOptions, askDaemon, type DaemonOptions } from './ask.ts'
import { type CliContext, print } from './context.ts'
import { formatSections } from './sections.ts'
import { exportEntries, type Format } from './table/export.ts'
import { importEntries } from './table/import.ts'
import { listEntries } from './table/list.ts'

interface JsonOption extends DaemonOptions {
  readonly json?: true
}

interface ChosenOptions extends JsonOption, Filter {}

interface ListOptions extends ChosenOptions {
  readonly pins?: true
  readonly limit?: string
}

const EXAMPLES = `
Examples:
  onehop table list --service web --prefix 198.51.100.0/24
  onehop table get 198.51.100.7
  onehop table pin 198.51.100.0/24 web-1 --service web
  onehop table unpin 198.51.100.0/24 --service web
  onehop table forget --container web-2
  onehop table export --format json > table.jsonl
  onehop table import table.jsonl

A pin of the operator's wins over one of the config's for the same source; it survives reload and restart.
Import is all or nothing; entries that are there already are replaced.`

export function addTableCommand(program: Command, context: CliContext): void {
  const table = program
    .command('table')
    .description('show the distribution table of the running daemon, or change it')
    .addHelpText('after', EXAMPLES)
  const add = (usage: string, description: string) =>
    addDaemonOptions(table.command(usage).description(description))
  const addWithJson = (usage: string, description: string) =>
    add(usage, description).option('--json', 'as JSON')
  const { stdout } = context
  const show = (options: JsonOption, value: unknown) =>
    print(stdout, options.json ? `${JSON.stringify(value, null, 2)}\n` : formatSections(value))

  addFilter(add('list', 'the entries, as they are'))
    .option('--pins', "the operator's pins instead")
    .option('--limit <count>', 'no more than so many')
    .option('--json', 'one object a line')
    .action(async (options: ListOptions) => {
      if (options.pins) await show(options, { pins: await askDaemon(options, '/v1/table/pins') })
      else await listEntries(options, filterOf(options), options.limit, options.json === true, context)
    })
  addWithJson('get <source>', 'what is known of a client, in every service').action(
    async (source: string, options: JsonOption) =>
      show(options, await askDaemon(options, `/v1/table/sources/${encodeURIComponent(source)}`)),
  )
  const change = (action: string, options: JsonOption, body: unknown) =>
    askDaemon(options, `/v1/table/${action}`, body).then((pins) => show(options, { pins }))
  addService(
    addWithJson('pin <source> <container>', 'send a source or prefix of a service to a container'),
  ).action((source: string, container: string, options: JsonOption & Pick<OperatorPin, 'service'>) =>
    change('pin', options, { service: options.service, source, container }),
  )
  addService(addWithJson('unpin <source>', "take back an operator's pin")).action(
    (source: string, options: JsonOption & Pick<OperatorPin, 'service'>) =>
      change('unpin', options, { service: options.service, source }),
  )
  addFilter(addWithJson('forget', 'remove entries: their sources are new at their next packet'))
    .option('--all', 'every one')
    .action(async (options: ChosenOptions & { readonly all?: true }) =>
      show(
        options,
        await askDaemon(
          options,
          '/v1/table/forget',
          { ...filterOf(options), all: options.all },
          FORGET_PATIENCE_MS,
        ),
      ),
    )
  addFilter(add('export', 'write the entries out'))
    .addOption(new Option('--format <format>', 'lines of which kind').choices(['csv', 'json']).default('csv'))
    .option('--output <file>', 'to a file instead of standard output')
    .action((options: ChosenOptions & { readonly format: Format; readonly output?: string }) =>
      exportEntries(options, filterOf(options), options.format, options.output, context),
    )
  addWithJson('import <file>', 'read entries back, CSV or JSON lines: all, or none').action(
    async (file: string, options: JsonOption) =>
      show(options, { imported: await importEntries(options, file, context) }),
  )
}

/** A page of the table is a moment's work, but there may be thousands. */
const FORGET_PATIENCE_MS = 60_000

const addService = (command: Command): Command =>
  command.requiredOption('--service <name>', 'the service that it is for')

const addFilter = (command: Command): Command =>
  command
    .option('--service <name>', "a service's")
    .option('--container <name>', "a container's")
    .option('--prefix <prefix>', 'sources under a prefix, or one address')

const filterOf = ({ service, container, prefix }: Filter): Filter => ({ service, container, prefix })
