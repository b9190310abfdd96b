import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { serveApi } from './api/api.ts'
import { serveTcp, type TcpApi } from './api/tcp.ts'
import { Opened } from './daemon/opened.ts'
import type { DaemonOptions } from './daemon/options.ts'
import { Serving } from './daemon/serving.ts'
import { Signals, STOP_FOR_ANOTHER } from './daemon/signals.ts'
import { loadAddon } from './dataplane/addon.ts'
import { createNativeDataPlane } from './dataplane/native.ts'
import { messageOf, OnehopError } from './errors.ts'
import { clearHandover, Handover } from './handover/handover.ts'
import { loadKey } from './key.ts'
import { lockStore, lockTun } from './lock.ts'
import { flushLog, openLog } from './log.ts'
import { serveMetrics } from './metrics/server.ts'
import { networkIntent, takeDown, uplinksOf } from './network/network.ts'

const TEND_INTERVAL_MS = 5_000
/** Nothing of ours is for others; the control socket's mode is set where it is made. */
const UMASK = 0o027

const NOTHING_LEFT = 'should the daemon die, the next one will not know whom the fast path serves'

function openHandover(
  whose: { readonly runDir: string; readonly tun: string },
  log: Logger,
): Handover | undefined {
  const addon = loadAddon()
  if (addon.fastPathLayout === '') return undefined
  try {
    const handover = Handover.open({ ...whose, addon })
    if (handover === undefined)
      log.warn({ problem: 'no bpf file system that can be written to' }, NOTHING_LEFT)
    return handover
  } catch (error) {
    log.warn({ problem: messageOf(error) }, NOTHING_LEFT)
    return undefined
  }
}

/** Serves until SIGTERM or SIGINT and returns the exit code. Throws OnehopError when it cannot start, leaving nothing behind. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  process.umask(UMASK)
  const log = openLog(options.logLevel, options.env)
  const opened = new Opened()
  const signals = new Signals()
  try {
    const { serving, tcp } = await start(options, log, opened)
    signals.onReload = () => {
      renewCertificate(tcp, log)
      return serving.reload()
    }
    log.info({ pid: process.pid, ...serving.summary() }, 'ready')
    const signal = await signals.stop
    log.info({ signal }, 'stopping')
    opened.isLeft = signal === STOP_FOR_ANOTHER
    return 0
  } finally {
    await opened.closeAll(log)
    signals.close()
    log.info('stopped')
    if (!(await flushLog(log))) endWithoutLog()
  }
}

/**
 * Ends the process with the exit code that stands when who called has had its turn. A write that the log's reader does not take,
 * be it tried again and again or a helper thread's that is stuck in it, cannot be called back, and node would wait for it.
 */
function endWithoutLog(): void {
  setImmediate(() => loadAddon().endNow(Number(process.exitCode ?? 0)))
}

async function lockAll(locks: Opened, tun: string, storePath: string | undefined): Promise<void> {
  const lock = await lockTun(tun)
  try {
    const storeLock = storePath && lockStore(storePath, loadAddon().tryLock)
    if (storeLock) locks.onClose(() => storeLock.release())
  } catch (error) {
    await lock.release()
    throw error
  }
  locks.onClose(() => lock.release())
}

/** Longer than a daemon takes to write what is left to write. */
const LEAVES_WITHIN_MS = 10_000
const LOOK_AGAIN_MS = 10

/** Throws what `lock` throws when that time is over. */
async function whenFree(lock: () => Promise<void>): Promise<void> {
  for (const until = performance.now() + LEAVES_WITHIN_MS; ; await delay(LOOK_AGAIN_MS))
    try {
      return await lock()
    } catch (error) {
      if (!(error instanceof OnehopError) || performance.now() > until) throw error
    }
}

interface Started {
  readonly serving: Serving
  readonly tcp: TcpApi | undefined
}

/** A pair that cannot be used leaves the old one in force. */
function renewCertificate(tcp: TcpApi | undefined, log: Logger): void {
  try {
    tcp?.renew()
  } catch (error) {
    log.error({ error: messageOf(error) }, "the API's old certificate stays")
  }
}

/** The TUN stands before its threads start, and they end before it goes; clients' packets wait in it meanwhile. */
async function start(options: DaemonOptions, log: Logger, opened: Opened): Promise<Started> {
  const { config, socketPath, runDir, stateDir, storePath, routes } = options
  const { tun } = config.interfaces
  const predecessor = await options.predecessor()
  const locks = new Opened()
  opened.onClose(() => locks.closeAll(log))
  if (predecessor === undefined) await lockAll(locks, tun, storePath)

  const handover = config.dataplane.fastpath === 'off' ? undefined : openHandover({ runDir, tun }, log)
  opened.onClose(() => opened.isLeft || handover?.close())

  const dataPlane = createNativeDataPlane(config.table)
  const serving = new Serving(options, log, dataPlane, loadKey(config.key, stateDir), handover)
  opened.onClose(() => serving.close())
  await serving.adopt(config)
  if (predecessor !== undefined) {
    opened.onClose(() => dataPlane.stop())
    dataPlane.hold(tun, config.dataplane.queues)
    process.kill(predecessor, STOP_FOR_ANOTHER)
    await whenFree(() => lockAll(locks, tun, storePath))
    log.info({ predecessor }, 'took over')
  }
  await serving.restore()
  const known = handover && serving.takeOver(handover)

  await serving.bringUp()
  if (routes) opened.onClose(() => opened.isLeft || takeDown(tun, { runDir }))
  const uplinks = await uplinksOf(networkIntent(config), { runDir })
  dataPlane.start({
    ...{ tun, bridges: serving.bridges, uplinks, ...config.dataplane },
    ...{ handover: handover?.folder, known },
  })
  if (handover === undefined) clearHandover({ runDir, tun })
  else handover.settle()
  const { problem, handoverProblem } = dataPlane.io().fastpath
  if (problem !== undefined) log.warn({ problem }, 'no fast path: all packets pass the daemon')
  if (handoverProblem !== undefined) log.warn({ problem: handoverProblem }, NOTHING_LEFT)
  opened.onClose(() => dataPlane.stop(opened.isLeft))
  serving.startFollowing(uplinks)
  opened.onClose(() => serving.stopFollowing())

  const onDefect = (error: unknown) => log.error({ error: messageOf(error) }, 'API: a defect')
  const api = await serveApi(socketPath, serving, onDefect)
  opened.onClose(() => api.close())
  const tcp = config.api && (await serveTcp(config.api, serving, onDefect))
  opened.onClose(() => tcp?.close())

  if (config.metrics !== undefined) {
    const metrics = await serveMetrics(config.metrics, () => serving.measure())
    opened.onClose(() => metrics.close())
  }

  const tending = setInterval(() => serving.tend(), TEND_INTERVAL_MS)
  opened.onClose(() => clearInterval(tending))
  return { serving, tcp }
}
