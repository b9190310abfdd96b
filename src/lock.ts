import { createServer, type Server } from 'node:net'
import { OnehopError } from './errors.ts'

export interface Lock {
  release(): Promise<void>
}

/**
 * One daemon a TUN. The lock is a socket in the abstract namespace (unix(7)): it belongs to the network
 * namespace, as the TUN does, and the kernel lets go of it however its owner ends. Throws E_NETWORK when
 * another daemon holds it.
 */
export async function lockTun(tun: string): Promise<Lock> {
  const server = createServer((socket) => socket.destroy())
  await listen(server, `\0onehop/${tun}`).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') throw cause
    throw new OnehopError(
      'E_NETWORK',
      `${tun}: another daemon is at work on this TUN interface; expected none (onehop status --tun ${tun} shows it)`,
      { cause },
    )
  })
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
