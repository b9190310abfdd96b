import { type Command, Option } from 'commander'
import { VERDICTS } from '../pipeline/verdict.ts'
import { addDaemonOptions, type DaemonOptions } from './ask.ts'

export interface FilterOptions extends DaemonOptions {
  readonly service?: string
  readonly source?: string
  readonly container?: string
  readonly verdict?: string
  readonly reason?: string
  readonly maxPackets?: string
  readonly rate?: string
  readonly seconds?: string
}

/** Which packets, and how many; the bounds are the daemon's to check. */
export const addFilterOptions = (command: Command): Command =>
  addDaemonOptions(
    command
      .option('--service <name>', 'packets of this service')
      .option('--container <name>', 'packets to or from this container')
      .addOption(new Option('--verdict <verdict>', 'what became of them').choices(VERDICTS))
      .option('--reason <reason>', 'and why, as in: onehop status')
      .option('--max-packets <n>', 'end after so many')
      .option('--rate <n>', 'packets a second at most, to 50,000 (default: 10,000); more are counted as lost')
      .option('--seconds <n>', 'end after so long, to 86,400 (default: 3,600)'),
  )

export function queryOf(options: FilterOptions, more: Readonly<Record<string, string | undefined>>): string {
  const { service, source, container, verdict, reason, maxPackets, rate: perSecond, seconds } = options
  const all = { service, source, container, verdict, reason, maxPackets, perSecond, seconds, ...more }
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new URLSearchParams(given).toString()
}

/** Aborted by Ctrl-C: what has come by then is whole. */
export function untilInterrupted(): { readonly signal: AbortSignal; close(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  process.once('SIGINT', abort).once('SIGTERM', abort)
  return {
    signal: controller.signal,
    close: () => process.off('SIGINT', abort).off('SIGTERM', abort),
  }
}
