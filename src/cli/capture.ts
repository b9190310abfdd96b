import type { Command } from 'commander'
import { openDaemonStream } from './ask.ts'
import { BlockReader } from './capture/block-reader.ts'
import { CaptureOutput, refuseTerminal } from './capture/capture-output.ts'
import { type CliContext, print } from './context.ts'
import { printStories } from './watch-lines.ts'
import { addFilterOptions, type FilterOptions, queryOf, untilInterrupted } from './watch-options.ts'

interface CaptureOptions extends FilterOptions {
  readonly write?: string
  readonly maxBytes?: string
  readonly snap?: string
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop capture -w web.pcapng --service web --seconds 10
  onehop capture -w - --verdict drop | tshark -r - -T fields -e frame.interface_name -e frame.comment
  onehop capture --source 198.51.100.0/24

Each packet is there as it arrived from the TUN and, unless it was dropped, as it left, with what was decided as its
comment. Without -w a line a packet is printed, as trace does. Ctrl-C ends it, and the file is whole. What is captured
takes the slow path meanwhile.`

export function addCaptureCommand(program: Command, context: CliContext): void {
  addFilterOptions(
    program
      .command('capture')
      .description("write the running daemon's packets, as they arrive and as they leave, to a pcapng file")
      .option('-w, --write <file>', 'the file to write, readable by its owner only; - for standard output')
      .option('--source <prefix>', 'packets of these clients: an address or a prefix')
      .option('--max-bytes <n>', 'end when the file would be larger (default: 100,000,000)')
      .option('--snap <n>', 'bytes of each packet at most, from 128 on (default: all)')
      .option('--json', 'without -w: as JSON, an object a line'),
  )
    .addHelpText('after', EXAMPLES)
    .action(({ write, maxBytes, snap, ...options }: CaptureOptions) =>
      write === undefined
        ? printStories(options, queryOf(options, { maxBytes, snap: snap ?? '128' }), context)
        : capture(write, options, queryOf(options, { maxBytes, snap }), context),
    )
}

async function capture(
  path: string,
  options: CaptureOptions,
  query: string,
  context: CliContext,
): Promise<void> {
  refuseTerminal(path, context.stdout)
  const interrupted = untilInterrupted()
  const { signal } = interrupted
  const blocks = new BlockReader()
  let output: CaptureOutput | undefined
  try {
    const stream = await openDaemonStream(options, `/v1/capture?${query}`, signal)
    output = CaptureOutput.open(path, context.stdout)
    for await (const chunk of stream) {
      await output.write(blocks.whole(chunk))
      if (blocks.isBegun) await print(context.stderr, 'capturing; Ctrl-C ends it\n')
      if (output.isGone) break
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    output?.close()
    interrupted.close()
  }
  const { packets, lost } = blocks
  await print(context.stderr, `${packets} packets, ${lost} more lost for want of room or rate\n`)
}
