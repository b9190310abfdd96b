import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import fastify from 'fastify'
import { OnehopError } from '../errors.ts'
import { type ContainersSource, serveContainers } from './containers.ts'
import { type ExplainSource, serveExplain } from './explain.ts'
import type { Status } from './status.ts'
import { serveTable, type TableSource } from './table.ts'

/** What the API may ask of the daemon. */
export interface ApiSource {
  readonly containers: ContainersSource
  readonly table: TableSource
  readonly explainer: ExplainSource
  status(): Status
}

export interface Api {
  close(): Promise<void>
}

/** The owner and its group may ask; nobody else. */
const SOCKET_MODE = 0o660

/** A request is a few lines and, at most, some names. */
const LARGEST_BODY_BYTES = 64 * 1024
const LONGEST_REQUEST_MS = 5_000

/**
 * Serves HTTP/JSON on a unix socket. The caller owns the TUN (src/lock.ts), so a socket already standing at
 * `socketPath` was left by a daemon that died. Throws E_SYSTEM when it cannot listen there.
 */
export async function serveApi(socketPath: string, source: ApiSource): Promise<Api> {
  const server = fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    requestTimeout: LONGEST_REQUEST_MS,
    forceCloseConnections: true,
  })
  server.get('/v1/status', () => source.status())
  serveContainers(server, source.containers)
  serveTable(server, source.table)
  serveExplain(server, source.explainer)
  try {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 })
    removeStaleSocket(socketPath)
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

function removeStaleSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new OnehopError('E_SYSTEM', `${path}: something that is no socket stands here; expected nothing`)
  unlinkSync(path)
}
