import { setImmediate } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { loadConfig } from '../config/load.ts'
import { OnehopError } from '../errors.ts'
import { type CapturedPacket, isFinerThanMicroseconds, readCapture } from '../packet/capture.ts'
import { pcapFileHeader, pcapRecordLength, type TimeUnit, writePcapRecord } from '../packet/pcap.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import { CaptureFile } from './capture-file.ts'
import type { CliContext } from './context.ts'
import { ENGINES, type EngineName, type OfflineEngine, openOfflineEngine } from './offline.ts'
import { keyOf, noteKey } from './offline-key.ts'
import { OutputFile } from './output-file.ts'
import { Comparison } from './replay/comparison.ts'
import { Interruption } from './replay/interruption.ts'
import { JsonLines, type Listener, Summary } from './replay/listener.ts'

interface ReplayOptions {
  readonly config: string
  readonly vs?: string
  readonly engine: EngineName
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop replay in.pcap out.pcap --config onehop.yaml
  onehop replay in.pcapng out.pcap --config onehop.yaml --json | jq -r .container | sort | uniq -c
  onehop replay in.pcap /dev/null --config onehop.yaml --vs new.yaml

Needs neither root nor a daemon. IN may be pcap or pcapng with raw IP, Ethernet, loopback or Linux cooked frames;
OUT is pcap with raw IP and the input's times. Frames without an IP packet (ARP, say) pass a daemon by and are not
written. OUT appears only when the whole of IN has been replayed.

With --vs a second config decides on the same packets: OUT and A are the first one's, B is the second one's. Listed are
the clients that B sends elsewhere, most packets first; with --json a line for each, then one with the sums. Exits with
1 when there are any.`

export function addReplayCommand(program: Command, context: CliContext): void {
  program
    .command('replay')
    .description('send a capture through the decision and write what would leave')
    .argument('<in>', 'the capture to read')
    .argument('<out>', 'the pcap file to write')
    .requiredOption('-c, --config <file>', 'the config file')
    .option('--vs <file>', 'another config: name the clients that it sends elsewhere')
    .addOption(new Option('--engine <name>', 'which implementation').choices(ENGINES).default('reference'))
    .option('--json', 'one line a packet: verdict, reason, service, container, source; with --vs, a client')
    .addHelpText('after', EXAMPLES)
    .action(async (inputPath: string, outputPath: string, options: ReplayOptions) => {
      context.exitCode = await replay(inputPath, outputPath, options, context)
    })
}

async function replay(
  inputPath: string,
  outputPath: string,
  options: ReplayOptions,
  context: CliContext,
): Promise<number> {
  const configs = [options.config, ...(options.vs === undefined ? [] : [options.vs])].map(loadConfig)
  if (configs.some(({ key }) => key === undefined)) await noteKey(context)
  const [offline, other] = await Promise.all(
    configs.map((config) => openOfflineEngine(config, options.engine, keyOf(config))),
  )
  const input = new CaptureFile(inputPath)
  try {
    if (input.isSameAs(outputPath))
      throw new OnehopError('E_USAGE', `${outputPath} is the input; expected another file to write`)
    return await replayFile(input, outputPath, offline!, listenerFor(options, context, offline!, other))
  } finally {
    input.close()
  }
}

function listenerFor(
  { json }: ReplayOptions,
  context: CliContext,
  offline: OfflineEngine,
  other: OfflineEngine | undefined,
): Listener {
  if (other !== undefined) return new Comparison(context, offline, other, json === true)
  return json ? new JsonLines(context, offline) : new Summary(context)
}

/** Between these a signal is heard and the listener's reader is waited for. */
const PACKETS_AT_ONCE = 4096

async function replayFile(
  input: CaptureFile,
  outputPath: string,
  offline: OfflineEngine,
  listener: Listener,
): Promise<number> {
  const interruption = new Interruption()
  const output = new OutputFile(outputPath)
  try {
    const unit = atInput(input, () => (isFinerThanMicroseconds(input.chunks()) ? 'ns' : 'us'))
    const header = pcapFileHeader(unit)
    output.reserve(header.length).set(header)
    const packets = readCapture(input.chunks())
    while (atInput(input, () => replaySome(packets, unit, offline, output, listener))) {
      await listener.flush()
      await setImmediate()
      if (interruption.exitCode !== undefined) {
        output.abandon()
        return interruption.exitCode
      }
    }
    await listener.end()
    output.commit()
    return listener.exitCode
  } catch (error) {
    await listener.flush()
    output.abandon()
    throw error
  } finally {
    interruption.close()
  }
}

/** The capture's own errors name a byte; this adds the file. */
function atInput<T>({ path }: CaptureFile, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    if (!(cause instanceof OnehopError) || !cause.message.startsWith('byte ')) throw cause
    throw new OnehopError(cause.code, `${path}: ${cause.message}`, { cause })
  }
}

/** Replays up to PACKETS_AT_ONCE packets; false when there are no more. */
function replaySome(
  packets: Iterator<CapturedPacket>,
  unit: TimeUnit,
  offline: OfflineEngine,
  output: OutputFile,
  listener: Listener,
): boolean {
  for (let i = 0; i < PACKETS_AT_ONCE; i++) {
    const next = packets.next()
    if (next.done) return false
    listener.add(replayPacket(next.value, unit, offline, output, listener), next.value)
  }
  return true
}

function replayPacket(
  { packet, timestamp }: CapturedPacket,
  unit: TimeUnit,
  { engine }: OfflineEngine,
  output: OutputFile,
  listener: Listener,
): Outcome | undefined {
  if (packet === undefined) return undefined
  const nowSeconds = secondsOf(timestamp)
  listener.meet(packet, nowSeconds)
  const outcome = engine.process(packet, nowSeconds)
  const leaving = outcome.output
  if (leaving !== undefined)
    writePcapRecord(output.reserve(pcapRecordLength(leaving)), leaving, timestamp, unit)
  return outcome
}

/** Engines count seconds in 32 bits; a pcapng clock may say anything. */
const secondsOf = (timestamp: bigint): number =>
  Math.min(Math.max(Math.floor(Number(timestamp / 1_000_000_000n)), 0), 0xffff_ffff)
