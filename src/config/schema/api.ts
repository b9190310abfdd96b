import { parseAddress, unusableKind } from '../address.ts'
import type { ApiConfig } from '../config.ts'
import { mapping, text } from '../values.ts'
import { listen } from './addresses.ts'

const path = text('an absolute path', (value) => (/^\/\P{Cc}{1,4094}$/u.test(value) ? value : undefined))

const isLoopback = (host: string): boolean => unusableKind(parseAddress(host)!) === 'loopback'

/** A token that crosses a network in the clear is no secret. */
export const api = mapping({
  listen,
  tokenFile: path,
  tls: mapping({ cert: path, key: path }).optional(),
}).transform(({ listen, tokenFile, tls }, context): ApiConfig => {
  if (tls === undefined && !isLoopback(listen.host))
    context.issues.push({
      code: 'custom',
      input: listen,
      path: ['listen'],
      message: 'a loopback address such as 127.0.0.1:9465, or tls besides',
    })
  return { listen, tokenFile, tls }
})
