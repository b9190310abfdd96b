import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { OnehopError } from '../errors.ts'
import { createServer } from './server.ts'
import type { ApiSource } from './source.ts'

export interface Api {
  close(): Promise<void>
}

/** The owner and its group may ask; nobody else. */
const SOCKET_MODE = 0o660

/**
 * Serves HTTP/JSON on a unix socket. One that stands at `socketPath` and that nobody listens to was left by a daemon that died;
 * `--socket` may name that of another TUN's daemon. Throws E_SYSTEM when it cannot listen there. `onDefect`: an error that no request may cause; it is answered 500.
 */
export async function serveApi(
  socketPath: string,
  source: ApiSource,
  onDefect: (error: unknown) => void,
): Promise<Api> {
  const server = createServer(source, onDefect)
  try {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 })
    await removeStaleSocket(socketPath)
    // Until chmod, nobody in the group can connect: the daemon's umask keeps write permission from it.
    await server.listen({ path: socketPath })
    chmodSync(socketPath, SOCKET_MODE)
  } catch (cause) {
    await server.close()
    if (cause instanceof OnehopError) throw cause
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_SYSTEM', `${socketPath}: ${syscall ?? 'listen'}: ${code}`, { cause })
  }
  return { close: () => server.close() }
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new OnehopError('E_SYSTEM', `${path}: something that is no socket stands here; expected nothing`)
  if (await isServed(path))
    throw new OnehopError(
      'E_SYSTEM',
      `${path}: another daemon answers here; expected a --socket of this one's own`,
    )
  unlinkSync(path)
}

/** Anything but a refusal means that somebody may be there, such as a queue that is full. */
const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'))
  })
