import { setTimeout as pause } from 'node:timers/promises'
import type { Status } from '../../../src/api/status.ts'
import type { Daemon } from '../lab/daemon.ts'
import { untilTrue } from '../lab/until.ts'
import { type Lab, withLab } from '../lab.ts'
import { Churn, QUIET, soakConfig } from './churn.ts'
import { type Failure, Mix } from './mix.ts'
import { Sent } from './sent.ts'
import { processesOf, type Usage, usageOf } from './usage.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly fastpath: 'auto' | 'off'
  /** By how much of it memory may differ between the beginning, once warm, and the end. */
  readonly memoryTolerance: number
  /** Gets a line every minute, each failure, and the figures at the end. */
  readonly tell: (line: string) => void
}

const CLIENTS = 300
const PER_SECOND = 250
const MINUTE_MS = 60_000
const SAMPLE_MS = 1_000
const BETWEEN_CYCLES_MS = 3_000
/** A sixth of the time each: the one that begins after a third of it, and the last. */
const PART = 1 / 6
const WARM = 1 / 3

interface Soaked extends SoakOptions {
  readonly daemon: Daemon
  readonly mix: Mix
  readonly churn: Churn
  readonly sent: Sent
  readonly processes: readonly number[]
  readonly samples: Usage[]
  requests: number
  failed: number
}

/** Mixed traffic and an operator at work for as long as said; resolves to what was not as it has to be, in words. */
export const soak = (options: SoakOptions): Promise<readonly string[]> =>
  withLab({ containers: 4, ...QUIET }, async (lab) => {
    const soaked = await begin(lab, options)
    const over = new AbortController()
    await Promise.all([churnOn(soaked).finally(() => over.abort()), measureUntil(over.signal, soaked)])
    await soaked.mix.pause()
    await tellFigures('at rest', soaked)
    return [
      ...(soaked.failed > 0 ? [await failedInWords(soaked)] : []),
      ...(await countingProblems(soaked)),
      ...usageProblems(soaked),
    ]
  })

async function begin(lab: Lab, options: SoakOptions): Promise<Soaked> {
  const { fastpath } = options
  const daemon = await lab.startDaemon({ config: soakConfig(lab, fastpath, ['c1', 'c2', 'c3']) })
  const mix = await Mix.start(lab, { clients: CLIENTS, perSecond: PER_SECOND })
  const churn = new Churn(lab, daemon, mix, fastpath)
  const sent = await Sent.count(lab, async () => (await daemon.status<Status>()).received.packets)
  const processes = processesOf(daemon.running.pid)
  await mix.resume()
  return { ...options, daemon, mix, churn, sent, processes, samples: [], requests: 0, failed: 0 }
}

async function churnOn({ churn, minutes }: Soaked): Promise<void> {
  const end = performance.now() + minutes * MINUTE_MS
  while (performance.now() < end) {
    await churn.cycle()
    await pause(BETWEEN_CYCLES_MS)
  }
}

async function measureUntil(signal: AbortSignal, soaked: Soaked): Promise<void> {
  const start = performance.now()
  for (let told = 0; !signal.aborted; ) {
    await pause(SAMPLE_MS)
    soaked.samples.push(usageOf(soaked.processes))
    if (performance.now() < start + (told + 1) * MINUTE_MS) continue
    await tellFigures(`${++told} min`, soaked)
  }
}

/** Those of requests are of the time since they were last told; their numbers count from the beginning. */
async function tellFigures(when: string, soaked: Soaked): Promise<void> {
  const { daemon, mix, churn, sent, samples, tell } = soaked
  const { requests, failed, failures, p99Ms, medianMs } = await mix.figures()
  soaked.requests += requests
  soaked.failed += failed
  for (const failure of failures) tell(inWords(failure))
  const { received, verdicts, table, io } = await daemon.status<Status>()
  const { daemonBytes, storeBytes, fds, threads } = samples.at(-1)!
  tell(
    [
      when.padStart(7),
      `RSS ${megabytes(daemonBytes)} + ${megabytes(storeBytes)} MB, ${fds} fds, ${threads} threads`,
      `${count(soaked.requests)} requests, ${soaked.failed} failed, median ${medianMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
      `${count(received.packets)} received, ${count(sumOf(verdicts))} verdicts, ${count(await sent.packets())} sent, ${count(await sent.dropped())} dropped by links`,
      `${table.entries} entries, ${io.fastpath.sources} in the fast path, ${churn.cycles} cycles, ${churn.reloads} reloads`,
    ].join(' · '),
  )
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
const count = (number: number): string => number.toLocaleString('en')
const sumOf = (verdicts: Status['verdicts']): number =>
  verdicts.reduce((sum, { packets }) => sum + packets, 0)

const inWords = ({ at, kind, from, container = 'new', message, code = '', afterMs }: Failure): string =>
  `✖ ${at} ${kind} of ${from} (${container}), after ${afterMs} ms: ${[code, message].filter(Boolean).join(' ')}`

const failedInWords = async ({ failed, requests, sent }: Soaked): Promise<string> =>
  `${failed} of ${requests} requests failed; links of the lab dropped ${await sent.dropped()} packets meanwhile (the machine's queues were full)`

/** At rest: what the ends' kernels sent is what was received, and each of it has one verdict. */
async function countingProblems({ daemon, sent }: Soaked): Promise<readonly string[]> {
  let [wanted, received, sum] = [0, 0, 0]
  const isEqual = async () => {
    wanted = await sent.packets()
    const status = await daemon.status<Status>()
    received = status.received.packets
    sum = sumOf(status.verdicts)
    return received === wanted && sum === received
  }
  return untilTrue(isEqual, 'all counted', 10_000).then(
    () => problemsOf(daemon),
    () => [`${sum} verdicts on ${received} packets received, of ${wanted} sent`],
  )
}

async function problemsOf(daemon: Daemon): Promise<readonly string[]> {
  const { problems, io, table, decisions } = await daemon.status<Status>()
  const counted = {
    'packets with a wrong checksum': io.selfCheck.wrong,
    'packets dropped at the TUN': io.tunDropped,
    'sources refused for want of room': table.full,
    'changes lost to the log of decisions': decisions.state === 'off' ? 0 : decisions.lost,
  }
  const wrong = Object.entries(counted).filter(([, times]) => times > 0)
  return [...problems, ...wrong.map(([what, times]) => `${times} ${what}`)]
}

function usageProblems({ samples, memoryTolerance, tell }: Soaked): readonly string[] {
  const length = Math.floor(samples.length * PART)
  const warm = samples.slice(Math.floor(samples.length * WARM)).slice(0, length)
  const last = samples.slice(-length)
  const problems: string[] = []
  const [before, after] = [mean(warm.map(residentOf)), mean(last.map(residentOf))]
  const change = after / before - 1
  tell(
    `RSS ${megabytes(before)} MB once warm, ${megabytes(after)} MB at the end: ${(change * 100).toFixed(2)} %`,
  )
  if (Math.abs(change) > memoryTolerance) problems.push(`RSS changed by ${(change * 100).toFixed(2)} %`)
  // Requests of the API come and go; what is held is what is left between them.
  for (const what of ['fds', 'threads'] as const) {
    const [held, then] = [warm, last].map((part) => Math.min(...part.map((one) => one[what]))) as [
      number,
      number,
    ]
    tell(`${held} ${what} once warm, ${then} at the end`)
    if (then > held) problems.push(`${then - held} more ${what}`)
  }
  return problems
}

const residentOf = ({ daemonBytes, storeBytes }: Usage): number => daemonBytes + storeBytes
const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, one) => sum + one, 0) / numbers.length
