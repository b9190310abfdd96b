import { CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW } from '../capabilities.ts'
import type { Config } from '../config/config.ts'
import { loadAddon } from '../dataplane/addon.ts'
import { mountOwn } from '../handover/place.ts'

/**
 * Runs the same command line again in this process's place, with no more than the capabilities that serving takes; returns where
 * it has been. Before that it mounts what the confined daemon writes to. What it can do is asked of the kernel, so that whatever starts the daemon confined already is believed.
 * Throws E_SYSTEM when the kernel refuses.
 */
export function confine({ dataplane }: Config, runDir: string): void {
  const addon = loadAddon()
  const capabilities = [CAP_NET_ADMIN, CAP_NET_RAW, ...(dataplane.fastpath === 'off' ? [] : [CAP_BPF])]
  if (addon.isConfined(capabilities)) return
  if (dataplane.fastpath !== 'off') mountOwn(runDir)
  addon.confine(capabilities, [process.execPath, ...process.execArgv, ...process.argv.slice(1)])
}
