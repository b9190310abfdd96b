import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { OnehopError } from '../errors.ts'

/** An abstract socket: it belongs to the network namespace, as what it guards does, and goes with its holder. */
const LOCK = '\0onehop-network'
const WAIT_MS = 30_000
const RETRY_MS = 50

/** Runs `act` while no other set-up of this network namespace is at work. Throws E_NETWORK after 30 s of waiting. */
export async function withNetworkLock<T>(act: () => Promise<T>): Promise<T> {
  const server = await acquire()
  try {
    return await act()
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

async function acquire(): Promise<Server> {
  for (let waited = 0; waited < WAIT_MS; waited += RETRY_MS) {
    const server = await tryListen()
    if (server !== undefined) return server
    await delay(RETRY_MS)
  }
  throw new OnehopError(
    'E_NETWORK',
    `another network set-up has been at work for ${WAIT_MS / 1000} s; expected it to end`,
  )
}

const tryListen = (): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen({ path: LOCK }, () => resolve(server))
  })
