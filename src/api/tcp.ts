import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createSecureContext, Server as TlsServer } from 'node:tls'
import type { ApiConfig } from '../config/config.ts'
import { OnehopError } from '../errors.ts'
import type { Api } from './api.ts'
import { makeProblem } from './problem.ts'
import { createServer, sendProblem } from './server.ts'
import type { ApiSource } from './source.ts'
import { bringsToken, readToken } from './token.ts'

/**
 * Serves the same API over TCP, over TLS if there is a certificate, to whoever brings the token. Its file is read for each
 * request, so another one holds from the moment it is in its place. Throws E_SYSTEM when a file cannot be used or the
 * address not be had.
 */
export async function serveTcp(
  { listen, tokenFile, tls }: ApiConfig,
  source: ApiSource,
  onDefect: (error: unknown) => void,
): Promise<TcpApi> {
  readToken(tokenFile)
  const server = createServer(source, onDefect, tls && readPair(tls))
  server.addHook('onRequest', async ({ headers }, reply) => {
    if (bringsToken(headers.authorization, readToken(tokenFile))) return
    reply.header('www-authenticate', 'Bearer')
    return sendProblem(reply, makeProblem(401, UNAUTHORIZED, 'E_USAGE'))
  })
  try {
    await server.listen(listen)
  } catch (cause) {
    await server.close()
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError(
      'E_SYSTEM',
      `api: ${syscall ?? 'listen'} ${listen.host} port ${listen.port}: ${code}`,
      {
        cause,
      },
    )
  }
  return {
    ...(server.server.address() as AddressInfo),
    renew: () => {
      const listening: unknown = server.server
      if (tls !== undefined && listening instanceof TlsServer) listening.setSecureContext(readPair(tls))
    },
    close: () => server.close(),
  }
}

export interface TcpApi extends Api, AddressInfo {
  /** Reads the certificate and its key anew, for connections from now on; throws E_SYSTEM, and then the old ones stay. */
  renew(): void
}

const UNAUTHORIZED =
  "no token, or another one; expected Authorization: Bearer with the token of the daemon's tokenFile"

interface Pair {
  readonly cert: string
  readonly key: string
}

/** As Node takes it; a key of another certificate is found out here and not by the first client. */
function readPair({ cert, key }: Pair): { readonly cert: Buffer; readonly key: Buffer } {
  const pair = { cert: readPem(cert), key: readPem(key) }
  try {
    createSecureContext(pair)
  } catch (cause) {
    const { message } = cause as Error
    throw new OnehopError(
      'E_SYSTEM',
      `${cert}, ${key}: ${message}; expected a certificate and its key, PEM`,
      { cause },
    )
  }
  return pair
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_SYSTEM', `${path}: ${syscall ?? 'read'}: ${code}; expected a PEM file`, {
      cause,
    })
  }
}
