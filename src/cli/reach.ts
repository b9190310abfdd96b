import { readFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'
import { type Command, Option } from 'commander'
import { readToken } from '../api/token.ts'
import { parseAddress, unusableKind } from '../config/address.ts'
import { CONFIG_DEFAULTS } from '../config/defaults.ts'
import { quoteValue } from '../config/issue.ts'
import { OnehopError } from '../errors.ts'
import { RUN_DIR, socketPathOf } from './run-dir.ts'

export interface DaemonOptions {
  readonly socket?: string
  readonly runDir: string
  readonly tun: string
  readonly api?: string
  readonly tokenFile?: string
  readonly ca?: string
}

/** The options by which a command finds the running daemon. */
export const addDaemonOptions = (command: Command): Command =>
  command
    .option('--tun <name>', 'the daemon of this TUN interface', CONFIG_DEFAULTS.tun)
    .option('--run-dir <path>', "the daemon's run directory", RUN_DIR)
    .option('--socket <path>', "the daemon's control socket (default: <run-dir>/<tun>.sock)")
    .addOption(new Option('--api <url>', 'over TCP instead: https://host:port').env('ONEHOP_API'))
    .addOption(new Option('--token-file <file>', 'the token for it').env('ONEHOP_TOKEN_FILE'))
    .addOption(new Option('--ca <file>', 'who signed its certificate, PEM').env('ONEHOP_CA'))

/** How a daemon is asked. */
export interface Reach {
  /** For errors. */
  readonly name: string
  readonly request: typeof requestHttps
  readonly at: RequestOptions
  readonly headers: Readonly<Record<string, string>>
}

/** What is said on the command line itself wins over the environment: `--socket` there means no TCP. */
export function reachDaemon(options: DaemonOptions): Reach {
  if (options.api !== undefined && options.socket === undefined) return reachOverTcp(options.api, options)
  const socketPath = options.socket ?? socketPathOf(options.runDir, options.tun)
  return { name: socketPath, request: requestHttp, at: { socketPath }, headers: {} }
}

/** Throws E_USAGE for what would send the token in the clear, too. */
function reachOverTcp(api: string, { tokenFile, ca }: DaemonOptions): Reach {
  const url = URL.canParse(api) ? new URL(api) : undefined
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw new OnehopError('E_USAGE', `--api ${quoteValue(api)}; expected https://HOST:PORT`)
  if (url.protocol === 'http:' && !isLoopback(host))
    throw new OnehopError(
      'E_USAGE',
      `--api ${quoteValue(api)}; expected https:// (http:// only to a loopback address)`,
    )
  if (tokenFile === undefined)
    throw new OnehopError('E_USAGE', '--token-file: missing; expected the file with the token for --api')
  return {
    name: url.origin,
    request: url.protocol === 'http:' ? requestHttp : requestHttps,
    at: { host, port: url.port, ...(ca === undefined ? {} : { ca: readCa(ca) }) },
    headers: { authorization: `Bearer ${readToken(tokenFile)}` },
  }
}

function isLoopback(host: string): boolean {
  const address = parseAddress(host)
  return host === 'localhost' || (address !== undefined && unusableKind(address) === 'loopback')
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_USAGE', `--ca ${quoteValue(path)}: ${code}; expected a PEM file`, { cause })
  }
}

/** What a person can do about a daemon that does not answer. */
export function remedyOf({ code = '' }: NodeJS.ErrnoException): string {
  if (code === 'EACCES') return 'not allowed to ask the daemon; expected root or its group'
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'no daemon answers here; is onehop run at work?'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another name than --api has'
  if (code === 'EPROTO') return 'what answers there speaks no TLS'
  if (/CERT|SIGNATURE|ISSUER/.test(code))
    return 'its certificate is not trusted; expected one that --ca signed'
  return 'the daemon does not answer as it should'
}
