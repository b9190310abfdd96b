import { z } from 'zod'
import type { DampingConfig, DataPlaneConfig, HairpinConfig } from '../config.ts'
import { CONFIG_DEFAULTS } from '../defaults.ts'
import { DOCKER_SOCKET, socketPath } from '../sources.ts'
import { integer, list, mapping, oneOf, text } from '../values.ts'
import { aliasPrefix, interfaceName, listen, prefix } from './addresses.ts'
import { api } from './api.ts'
import { newSources } from './new-sources.ts'
import { table } from './table.ts'
import { HOUR_US, MS_US, SECOND_US, time } from './times.ts'

/**
 * The schema that turns plain values into the types of config.ts, defaults filled in. What a value should have
 * been is its schema's error message; src/config/validate.ts adds the place and the value. Rules that need
 * more than one value at once are in src/config/rules.ts.
 */

const interfaces = mapping({
  tun: interfaceName.prefault(CONFIG_DEFAULTS.tun),
  bridges: list(interfaceName, 'a list such as [br0]').default([]),
  uplinks: list(interfaceName, 'a list such as [eth0]').default([]),
})

const MOST_SOURCES = 4096
const SOURCES = `a list such as [10.77.0.0/16, "fd77::/64"], at most ${MOST_SOURCES}`

const hairpin = z.preprocess(
  (value) => (value === 'off' ? undefined : value),
  mapping(
    {
      alias4: aliasPrefix(4).prefault(CONFIG_DEFAULTS.alias4),
      alias6: aliasPrefix(6).prefault(CONFIG_DEFAULTS.alias6),
      sources: list(prefix, SOURCES).max(MOST_SOURCES, SOURCES).optional(),
    },
    'off, or ',
  )
    .transform(({ alias4, alias6, sources }): HairpinConfig => ({ alias4, alias6, sources }))
    .optional(),
)

const store = text('an absolute path, or off', (value) =>
  value === 'off' || (/^\/[^\0]+$/.test(value) && Buffer.byteLength(value) < 4_000) ? value : undefined,
)

const BYTES: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9 }
const LEAST_LOG_BYTES = 4e6
const MOST_LOG_BYTES = 64e9

const decisions = text('a size such as 64MB, from 4MB to 64GB, or off', (value) => {
  if (value === 'off') return value
  const [, digits, unit] = /^([0-9]{1,5})(MB|GB)$/.exec(value) ?? []
  const bytes = Number(digits) * (BYTES[unit ?? ''] ?? 0)
  return bytes >= LEAST_LOG_BYTES && bytes <= MOST_LOG_BYTES ? bytes : undefined
})

const spin = z.preprocess(
  (value) => (value === 0 || value === '0' ? '0us' : value),
  time('a time such as 50us, at most 10ms, or 0 for none', 0, 10 * MS_US, 1),
)

/** Longer than two of the daemon's heartbeats. */
const LEAST_LINGER_US = 3 * SECOND_US
const linger = time('a time such as 30s, 3s to 1h', LEAST_LINGER_US, HOUR_US, SECOND_US)

const dataplane = mapping({
  queues: integer(1, 16).default(CONFIG_DEFAULTS.queues),
  spin: spin.prefault(`${CONFIG_DEFAULTS.spinUs}us`),
  fastpath: oneOf('auto', 'off', 'require').default('auto'),
  linger: linger.prefault(`${CONFIG_DEFAULTS.lingerSeconds}s`),
  selfCheck: integer(0, 1_000_000_000).default(0),
}).transform(
  ({ spin: spinUs, linger: lingerSeconds, ...rest }): DataPlaneConfig => ({ ...rest, spinUs, lingerSeconds }),
)

const damping = z.preprocess(
  (value) => (value === 'off' ? undefined : value),
  mapping(
    {
      turns: integer(1, 100).default(CONFIG_DEFAULTS.turns),
      halfLife: time('a time such as 15s, from 1s to 1h', SECOND_US, HOUR_US, MS_US).prefault(
        CONFIG_DEFAULTS.halfLife,
      ),
    },
    'off, or ',
  )
    .transform(({ turns, halfLife: halfLifeMs }): DampingConfig => ({ turns, halfLifeMs }))
    .optional(),
)

const key = text('32 hexadecimal digits in quotes', (value) =>
  /^[0-9a-fA-F]{32}$/.test(value) ? value.toLowerCase() : undefined,
)

/** All but the services, which are validated one by one so that one bad service does not hide what is wrong in the rest. */
export const frameSchema = mapping({
  version: z.literal(1, '1'),
  interfaces: interfaces.prefault({}),
  key: key.optional(),
  unserved: oneOf('reject', 'drop').default('reject'),
  hairpin: hairpin.prefault({}),
  newSources: newSources.optional(),
  table: table.prefault({}),
  store: store.optional(),
  decisions: decisions.prefault(CONFIG_DEFAULTS.decisions),
  dataplane: dataplane.prefault({}),
  damping: damping.prefault({}),
  metrics: listen.optional(),
  api: api.optional(),
  docker: mapping({ socket: socketPath.prefault(DOCKER_SOCKET) }).optional(),
  services: list(z.unknown(), 'a list of services'),
})
