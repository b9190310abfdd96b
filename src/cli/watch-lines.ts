import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Story } from '../watch/story.ts'
import { type DaemonOptions, openDaemonStream } from './ask.ts'
import { type CliContext, offer, print } from './context.ts'
import { untilInterrupted } from './watch-options.ts'

/** Prints a line for each packet that the daemon tells of, until a bound or Ctrl-C. */
export async function printStories(
  options: DaemonOptions & { readonly json?: true },
  query: string,
  { stdout, stderr }: CliContext,
): Promise<void> {
  const interrupted = untilInterrupted()
  const { signal } = interrupted
  try {
    const lines = createInterface({
      input: Readable.from(await openDaemonStream(options, `/v1/trace?${query}`, signal)),
    })
    for await (const line of lines) {
      const story = JSON.parse(line) as Story | { readonly watching: true }
      if ('watching' in story) await print(stderr, 'watching; Ctrl-C ends it\n')
      else if (!(await offer(stdout, `${options.json ? line : formatStory(story)}\n`))) return
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    interrupted.close()
  }
}

function formatStory(story: Story): string {
  const { service, container, left, error, lost } = story
  const [seconds, fraction] = story.time.split('.')
  const clock = new Date(Number(seconds) * 1000).toISOString().slice(11, 19)
  const where = left === 'nowhere' ? '' : `, to the ${left} at +${story.writtenUs!.toFixed(1)} µs`
  return [
    ...(lost === undefined ? [] : [`(${lost} lost here)\n`]),
    `${clock}.${fraction}Z  ${story.arrived}  ${story.verdict} ${story.reason}`,
    ...(service === undefined ? [] : [` ${service}`]),
    ...(container === undefined ? [] : [` ${container}`]),
    `  decided at +${story.decidedUs.toFixed(1)} µs${where}`,
    ...(error === undefined ? [] : [` (${error})`]),
    ...(story.departed === undefined || story.departed === story.arrived ? [] : [`  as ${story.departed}`]),
  ].join('')
}
