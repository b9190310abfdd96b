import { z } from 'zod'
import type { HealthConfig, HealthQuestion } from '../config.ts'
import { integer, mapping, percent, port, text } from '../values.ts'
import { HOUR_US, MS_US, time } from './times.ts'

const CHECK_TIME = 'a time such as 500ms, 2s or 1m, from 10ms to 1h'

const checkTime = time(CHECK_TIME, 10 * MS_US, HOUR_US, MS_US)

const httpPath = text('a path such as /healthz: "/" and printable ASCII without spaces', (value) =>
  /^\/[\x21-\x7e]{0,1023}$/.test(value) ? value : undefined,
)

const byteText = text(
  'a text of characters up to U+00FF, a byte each, 512 at most ("\\x00" is a zero)',
  (value) => (/^[\0-\xff]{0,512}$/.test(value) ? value : undefined),
)

const hostName = text('a host name such as www.example.com', (value) =>
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(
    value,
  )
    ? value
    : undefined,
)

const healthPort = port.optional()

const healthTimes = {
  interval: checkTime.prefault('5s'),
  timeout: checkTime.prefault('2s'),
  rise: integer(1, 100).default(2),
  fall: integer(1, 100).default(3),
  jitter: percent(0, 50).prefault('10%'),
}

const httpHealth = <const Type extends string>(type: Type) =>
  mapping({
    type: z.literal(type),
    port: healthPort,
    path: httpPath.prefault('/'),
    status: integer(200, 599).optional(),
    host: hostName.optional(),
    ...healthTimes,
  })

const HEALTH_TYPES = 'tcp or http or https or udp or icmp'

/** A check of each of a service's containers. */
export const health = z
  .discriminatedUnion(
    'type',
    [
      mapping({ type: z.literal('tcp'), port: healthPort, ...healthTimes }),
      httpHealth('http'),
      httpHealth('https'),
      mapping({
        type: z.literal('udp'),
        port: healthPort,
        send: byteText,
        expect: byteText.prefault(''),
        ...healthTimes,
      }),
      mapping({ type: z.literal('icmp'), ...healthTimes }),
    ],
    {
      error: ({ code }) =>
        code === 'invalid_union' ? HEALTH_TYPES : 'a mapping with type, interval, timeout, rise, fall',
    },
  )
  .transform(
    ({ interval: intervalMs, timeout: timeoutMs, rise, fall, jitter, ...given }): HealthConfig => ({
      asks: questionOf(given),
      intervalMs,
      timeoutMs,
      rise,
      fall,
      jitter,
    }),
  )

type GivenQuestion =
  | { type: 'tcp' | 'icmp'; port?: number | undefined }
  | {
      type: 'http' | 'https'
      port?: number | undefined
      path: string
      status?: number | undefined
      host?: string | undefined
    }
  | { type: 'udp'; port?: number | undefined; send: string; expect: string }

function questionOf(given: GivenQuestion): HealthQuestion {
  switch (given.type) {
    case 'icmp':
      return { type: given.type }
    case 'tcp':
      return { type: given.type, port: given.port }
    case 'udp':
      return { type: given.type, port: given.port, send: given.send, expect: given.expect }
    default: {
      const { type, port, path, status, host } = given
      return { type, port, path, status, hostName: host }
    }
  }
}
