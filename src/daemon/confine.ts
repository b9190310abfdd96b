import { closeSync, readFileSync } from 'node:fs'
import { CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW } from '../capabilities.ts'
import type { Config } from '../config/config.ts'
import { packConfig, unpackConfig } from '../config/packed.ts'
import { loadAddon } from '../dataplane/addon.ts'
import { mountOwn } from '../handover/place.ts'

/**
 * What the daemon's V8 begins with: young objects have 16 MB, three times, unless it is told; and one thread that helps to
 * collect garbage is enough. The store's process is started with the same.
 */
const LEAN = ['--max-semi-space-size=2', '--v8-pool-size=1']

/** And what the C library begins with, in both: what is freed goes back to the system, where it would keep up to 32 MB a time. */
const FRUGAL = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
}

/** `PID:FILE`: what a process left for the one that takes its place, and so has its number, unlike those that it starts. */
const LEFT = 'ONEHOP_LEFT'

/**
 * Runs the same command line again in this process's place, with no more than the capabilities that serving takes, and with the
 * config as it was read; returns where it has been, and then the config is to be had by `configLeft`. Before that it mounts what
 * the confined daemon writes to. What it can do is asked of the kernel, so that whatever starts the daemon confined already is
 * believed. Throws E_SYSTEM when the kernel refuses.
 */
export function confine(config: Config, runDir: string): void {
  const addon = loadAddon()
  const { fastpath } = config.dataplane
  const capabilities = [CAP_NET_ADMIN, CAP_NET_RAW, ...(fastpath === 'off' ? [] : [CAP_BPF])]
  if (addon.isConfined(capabilities)) return
  if (fastpath !== 'off') mountOwn(runDir)
  Object.assign(process.env, { ...FRUGAL, ...process.env })
  process.env[LEFT] = `${process.pid}:${addon.leave(packConfig(config))}`
  addon.confine(capabilities, [process.execPath, ...LEAN, ...process.execArgv, ...process.argv.slice(1)])
}

/** Undefined: this process stands in nobody's place. */
export function configLeft(): Config | undefined {
  const [pid, file] = (process.env[LEFT] ?? '').split(':').map(Number)
  delete process.env[LEFT]
  if (pid !== process.pid || file === undefined) return undefined
  const config = unpackConfig(readFileSync(file))
  closeSync(file)
  return config
}
