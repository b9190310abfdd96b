import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { dirname } from 'node:path'
import { OnehopError } from './errors.ts'

export interface Lock {
  release(): void | Promise<void>
}

/**
 * One daemon a TUN. The lock is a socket in the abstract namespace (unix(7)): it belongs to the network
 * namespace, as the TUN does, and the kernel lets go of it however its owner ends. Whoever connects is told the owner's pid.
 * Throws E_NETWORK when another daemon holds it.
 */
export async function lockTun(tun: string): Promise<Lock> {
  const server = createServer((socket) => socket.on('error', () => {}).end(`${process.pid}\n`))
  await listen(server, nameOf(tun)).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') throw cause
    const whose = whoIs(await holderOf(tun))
    const message = `${tun}: ${whose} is at work on this TUN interface; expected none (onehop status --tun ${tun} shows it)`
    throw new OnehopError('E_NETWORK', message, { cause })
  })
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

const ANSWER_MS = 1_000

/** The pid of the daemon that has a TUN, by its own account; undefined: nobody says. */
export const holderOf = (tun: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    let text = ''
    const socket = connect(nameOf(tun))
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    socket.setTimeout(ANSWER_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(/^[0-9]{1,10}\n$/.test(text) ? Number(text) : undefined))
  })

const nameOf = (tun: string): string => `\0onehop/${tun}`

const whoIs = (pid: number | undefined): string =>
  pid === undefined ? 'another daemon' : `another daemon, with pid ${pid},`

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })

/**
 * One daemon a store, in whatever namespace it is: flock(2) on a file beside the folder, which the kernel lets go of, too. Undefined
 * where there can be no such file; the store will say why. Throws E_SYSTEM when another daemon holds it.
 */
export function lockStore(path: string, tryLock: (file: number) => boolean): Lock | undefined {
  const file = tryOpen(`${path}.lock`)
  if (file === undefined) return undefined
  if (!tryLock(file)) {
    const pid = /^[0-9]+$/.exec(readFileSync(file, 'utf8').trim())?.[0]
    closeSync(file)
    const message = `${path}: ${whoIs(pid === undefined ? undefined : Number(pid))} keeps its table there; expected a folder for this one alone (--store)`
    throw new OnehopError('E_SYSTEM', message)
  }
  signFile(file)
  return { release: () => closeSync(file) }
}

/** A full disk has no room for the name, but the lock holds without. */
function signFile(file: number): void {
  try {
    ftruncateSync(file)
    writeSync(file, `${process.pid}\n`, 0)
  } catch {}
}

function tryOpen(path: string): number | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    return openSync(path, 'a+', 0o600)
  } catch {
    return undefined
  }
}
