/**
 * A data plane and nothing else, for tests: `forward.ts CONFIG OPTIONS`, both JSON. Prints `started`, or the code
 * and message of the OnehopError. Then each line of input is a command; each answers with one line of JSON.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { compileSnapshot } from '../../src/compile.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { DataPlane, ForwarderOptions } from '../../src/dataplane/dataplane.ts'
import { createNativeDataPlane } from '../../src/dataplane/native.ts'
import { OnehopError } from '../../src/errors.ts'
import { Identities } from '../../src/pipeline/identities.ts'

const [configText, optionsText] = (isMainThread ? process.argv.slice(2) : workerData) as [string, string]

/** Milliseconds of processor time of each thread of the addon's. */
function threadsMs(): Record<string, number> {
  const threads = readdirSync('/proc/self/task').map((thread) => {
    const [name, ran] = ['comm', 'schedstat'].map((file) =>
      readFileSync(`/proc/self/task/${thread}/${file}`, 'utf8'),
    ) as [string, string]
    return [name.trim(), Number(ran.split(' ')[0]) / 1e6] as const
  })
  return Object.fromEntries(threads.filter(([name]) => name.startsWith('onehop-')))
}

function open(): DataPlane {
  const config = parseConfig(configText, 'CONFIG')
  const dataPlane = createNativeDataPlane(config.table)
  dataPlane.publish(compileSnapshot(config, new Identities(), Buffer.alloc(16, 7)))
  dataPlane.start(JSON.parse(optionsText) as ForwarderOptions)
  return dataPlane
}

const COMMANDS: Record<string, (dataPlane: DataPlane) => unknown> = {
  io: (dataPlane) => dataPlane.io(),
  received: (dataPlane) => dataPlane.counters().received,
  threads: threadsMs,
  stop: (dataPlane) => {
    const before = performance.now()
    dataPlane.stop()
    return { tookMs: performance.now() - before, received: dataPlane.counters().received.packets }
  },
  exit: () => process.exit(7),
  throw: () =>
    setImmediate(() => {
      throw new Error('on purpose')
    }),
}

async function obey(dataPlane: DataPlane): Promise<void> {
  for await (const command of createInterface(process.stdin))
    console.log(JSON.stringify(COMMANDS[command]!(dataPlane) ?? null))
}

/** tsx, given as an `--import`, minds only the main thread. */
const loader = `import { register } from '${import.meta.resolve('tsx/esm/api')}'
register()
await import('${import.meta.url}')`

/** Starts a data plane in a thread of Node's and ends that thread. */
async function runInWorker(): Promise<void> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(loader)}`), {
    workerData: process.argv.slice(2, 4),
    stdin: true,
    stdout: true,
  })
  await new Promise((resolve) => worker.stdout.once('data', resolve))
  const before = Object.keys(threadsMs())
  await worker.terminate()
  console.log(JSON.stringify({ before, after: Object.keys(threadsMs()) }))
}

try {
  if (isMainThread && process.argv[4] === 'in-worker') await runInWorker()
  else {
    const dataPlane = open()
    console.log('started')
    await obey(dataPlane)
  }
} catch (error) {
  if (!(error instanceof OnehopError)) throw error
  console.log(`${error.code} ${error.message}`)
  process.exitCode = 1
}
