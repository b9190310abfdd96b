import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CAP_SYS_ADMIN, hasCapability } from '../capabilities.ts'

/** linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11
/** Where systemd mounts it, and other programs expect it. */
const USUAL = '/sys/fs/bpf'
const PREFIX = 'onehop-'
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` }

/** A file system of its own, for a host that has none or a user who may not write to the host's. */
const ownMount = (runDir: string): string => join(runDir, 'bpf')

/** The bpf file system (bpf(2), BPF_OBJ_PIN) that this process may write to; undefined: none. */
export const bpfFileSystem = (runDir: string): string | undefined =>
  [ownMount(runDir), USUAL].find((path) => isBpfFileSystem(path) && isWritable(path))

/** Whether `mountOwn` will do. */
export const canMount = (): boolean => hasCapability(CAP_SYS_ADMIN)

/** Mounts one where there is none: for as long as the host runs, or until `unmountOwn`. Does nothing for who may not. */
export function mountOwn(runDir: string): void {
  if (bpfFileSystem(runDir) !== undefined || !canMount()) return
  const path = ownMount(runDir)
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
    execFileSync('mount', ['-t', 'bpf', '-o', 'mode=0700', 'bpf', path], {
      stdio: 'ignore',
      env: ENVIRONMENT,
    })
  } catch {
    // bpfFileSystem tells.
  }
}

export function unmountOwn(runDir: string): void {
  const path = ownMount(runDir)
  if (isBpfFileSystem(path)) execFileSync('umount', [path], { stdio: 'ignore', env: ENVIRONMENT })
}

/** What one TUN's daemons leave each other in a bpf file system. Its names must not have dots. */
export function placeIn(fileSystem: string, runDir: string, tun: string): string {
  const whose = createHash('sha256')
    .update(`${resolve(runDir)}\0${tun}`)
    .digest('hex')
    .slice(0, 16)
  return join(fileSystem, `${PREFIX}${whose}`)
}

export const isPlace = (name: string): boolean => name.startsWith(PREFIX)

function isBpfFileSystem(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC
  } catch {
    return false
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
