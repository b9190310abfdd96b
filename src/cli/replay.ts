import { setImmediate } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { OnehopError } from '../errors.ts'
import { type CapturedPacket, isFinerThanMicroseconds, readCapture } from '../packet/capture.ts'
import { pcapFileHeader, pcapRecordLength, type TimeUnit, writePcapRecord } from '../packet/pcap.ts'
import { codeOf, type Outcome } from '../pipeline/outcome.ts'
import { REASONS } from '../pipeline/verdict.ts'
import { CaptureFile } from './capture-file.ts'
import { type CliContext, print } from './context.ts'
import { ENGINES, type EngineName, type OfflineEngine, openOfflineEngine } from './offline.ts'
import { OutputFile } from './output-file.ts'
import { formatRows } from './sections.ts'

interface ReplayOptions {
  readonly config: string
  readonly engine: EngineName
  readonly json?: true
}

const EXAMPLES = `
Examples:
  onehop replay in.pcap out.pcap --config onehop.yaml
  onehop replay in.pcapng out.pcap --config onehop.yaml --json | jq -r .container | sort | uniq -c

Needs neither root nor a daemon. IN may be pcap or pcapng with raw IP, Ethernet, loopback or Linux cooked frames;
OUT is pcap with raw IP and the input's times. Frames without an IP packet (ARP, say) pass a daemon by and are not
written. OUT appears only when the whole of IN has been replayed.`

export function addReplayCommand(program: Command, context: CliContext): void {
  program
    .command('replay')
    .description('send a capture through the decision and write what would leave')
    .argument('<in>', 'the capture to read')
    .argument('<out>', 'the pcap file to write')
    .requiredOption('-c, --config <file>', 'the config file')
    .addOption(new Option('--engine <name>', 'which implementation').choices(ENGINES).default('reference'))
    .option('--json', 'one line a packet: verdict, reason, service, container, source')
    .addHelpText('after', EXAMPLES)
    .action(async (inputPath: string, outputPath: string, options: ReplayOptions) => {
      context.exitCode = await replay(inputPath, outputPath, options, context)
    })
}

async function replay(
  inputPath: string,
  outputPath: string,
  { config: configPath, engine, json }: ReplayOptions,
  context: CliContext,
): Promise<number> {
  const config = loadConfig(configPath)
  const offline = await openOfflineEngine(config, engine, await keyOf(config, context))
  const input = new CaptureFile(inputPath)
  try {
    if (input.isSameAs(outputPath))
      throw new OnehopError('E_USAGE', `${outputPath} is the input; expected another file to write`)
    return await replayFile(
      input,
      outputPath,
      offline,
      json ? new JsonLines(context, offline) : new Summary(context),
    )
  } finally {
    input.close()
  }
}

const KEY_BYTES = 16

async function keyOf({ key }: Config, { stderr }: CliContext): Promise<Uint8Array> {
  if (key !== undefined) return Buffer.from(key, 'hex')
  const note =
    'the config has no key: unknown sources are spread by a key of zeros, not as by a daemon with its own'
  await print(stderr, `onehop: ${note}\n`)
  return new Uint8Array(KEY_BYTES)
}

/** Who hears of each packet's outcome. `flush` is awaited now and then, so that a slow reader is waited for. */
interface Listener {
  /** `outcome` is undefined for a frame without an IP packet. */
  add(outcome: Outcome | undefined, captured: CapturedPacket): void
  flush(): Promise<void>
  end(): Promise<void>
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
    return 0
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
    listener.add(replayPacket(next.value, unit, offline, output), next.value)
  }
  return true
}

function replayPacket(
  { packet, timestamp }: CapturedPacket,
  unit: TimeUnit,
  { engine }: OfflineEngine,
  output: OutputFile,
): Outcome | undefined {
  if (packet === undefined) return undefined
  const outcome = engine.process(packet, secondsOf(timestamp))
  const leaving = outcome.output
  if (leaving !== undefined)
    writePcapRecord(output.reserve(pcapRecordLength(leaving)), leaving, timestamp, unit)
  return outcome
}

/** Engines count seconds in 32 bits; a pcapng clock may say anything. */
const secondsOf = (timestamp: bigint): number =>
  Math.min(Math.max(Math.floor(Number(timestamp / 1_000_000_000n)), 0), 0xffff_ffff)

/** SIGINT and SIGTERM end a replay between packets, so that no partial file stays behind. */
class Interruption {
  exitCode: number | undefined
  readonly #interrupt = () => {
    this.exitCode = 130
  }
  readonly #terminate = () => {
    this.exitCode = 143
  }

  constructor() {
    process.on('SIGINT', this.#interrupt)
    process.on('SIGTERM', this.#terminate)
  }

  close(): void {
    process.off('SIGINT', this.#interrupt)
    process.off('SIGTERM', this.#terminate)
  }
}

/** What is no IP packet never reaches a TUN: as if the kernel had kept it. */
const NOT_IP = codeOf('pass', 'not-ours')

class JsonLines implements Listener {
  readonly #context: CliContext
  readonly #offline: OfflineEngine
  #lines: string[] = []
  #count = 0

  constructor(context: CliContext, offline: OfflineEngine) {
    this.#context = context
    this.#offline = offline
  }

  add(outcome: Outcome | undefined): void {
    const [verdict, reason] = REASONS[NOT_IP]!
    const named = outcome === undefined ? { verdict, reason } : this.#offline.name(outcome)
    this.#lines.push(`${JSON.stringify({ n: ++this.#count, ...named })}\n`)
  }

  async flush(): Promise<void> {
    const text = this.#lines.join('')
    this.#lines = []
    if (text !== '') await print(this.#context.stdout, text)
  }

  end(): Promise<void> {
    return this.flush()
  }
}

class Summary implements Listener {
  readonly #context: CliContext
  readonly #packets = REASONS.map(() => 0)
  #cutShort = 0

  constructor(context: CliContext) {
    this.#context = context
  }

  add(outcome: Outcome | undefined, { capturedLength, originalLength }: CapturedPacket): void {
    const code = outcome?.code ?? NOT_IP
    this.#packets[code] = this.#packets[code]! + 1
    if (capturedLength < originalLength) this.#cutShort++
  }

  async flush(): Promise<void> {}

  async end(): Promise<void> {
    const rows = REASONS.map(([verdict, reason], code) => [verdict, reason, String(this.#packets[code])])
    const seen = rows.filter(([, , packets]) => packets !== '0')
    await print(this.#context.stdout, formatRows([['verdict', 'reason', 'packets'], ...seen]))
    if (this.#cutShort === 0) return
    const note = `${this.#cutShort} packets were captured only in part, and judged by that part`
    await print(this.#context.stderr, `onehop: ${note}\n`)
  }
}
