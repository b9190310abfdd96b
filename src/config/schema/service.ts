import { z } from 'zod'
import type { Prefix } from '../../address.ts'
import { ALLOWED, DENIED, PrefixTable } from '../../prefix-table.ts'
import {
  type AffinityConfig,
  ALGORITHMS,
  type ContainerConfig,
  type PinConfig,
  type PinFile,
  type ServiceConfig,
  type SourceRules,
} from '../config.ts'
import { CONFIG_DEFAULTS } from '../defaults.ts'
import { type SourceConfig, sourceSchema } from '../sources.ts'
import { integer, list, mapping, name, oneOf, percent, port, text } from '../values.ts'
import { address4, address6, anyAddress, prefix } from './addresses.ts'
import { health } from './health.ts'
import { ports } from './ports.ts'
import { MOST_ENTRIES } from './table.ts'
import { HOUR_US, MS_US, SECOND_US, time } from './times.ts'

export const containerSchema = mapping({
  name,
  address: address4.optional(),
  address6: address6.optional(),
  port: port.optional(),
  weight: integer(0, 256).default(1),
}).transform(
  (given): ContainerConfig => ({
    name: given.name,
    address: given.address,
    address6: given.address6,
    port: given.port,
    weight: given.weight,
  }),
)

const IDLE = 'a time such as 3h, 30s or 1h30m, from 1s to 365d'
const idle = time(IDLE, SECOND_US, 365 * 24 * HOUR_US, SECOND_US).refine(Number.isInteger, IDLE)

const affinity = mapping({
  scope: oneOf('service', 'group', 'address').default('service'),
  group: name.optional(),
  prefix4: integer(1, 32).default(32),
  prefix6: integer(1, 128).default(128),
  idle: idle.prefault(`${CONFIG_DEFAULTS.idleSeconds}s`),
}).transform(
  ({ idle: idleSeconds, ...given }): AffinityConfig => ({
    scope: given.scope,
    group: given.group,
    prefix4: given.prefix4,
    prefix6: given.prefix6,
    idleSeconds,
  }),
)

const pin = mapping({
  source: prefix,
  container: name.optional(),
  containers: list(name, 'a list such as [web-1, web-2]').min(1, 'at least one container').optional(),
}).transform(({ source, container: one, containers = [] }, context): PinConfig => {
  if ((one === undefined) === (containers.length === 0))
    context.issues.push({
      code: 'custom',
      input: source,
      message: 'either container or containers',
      path: ['container'],
    })
  return { source, containers: one === undefined ? containers : [one] }
})

const PATH = 'a path, relative to the config'
/** PATH_MAX; no file of anybody's has a control character in its name. */
const isPath = (value: string): boolean => /^\P{Cc}{1,4095}$/u.test(value)
const pinFile = text(PATH, (value): PinFile | undefined =>
  isPath(value) ? { name: value, table: new PrefixTable(), sets: [] } : undefined,
)
const path = text(PATH, (value) => (isPath(value) ? value : undefined))
const PREFIXES = 'a list such as [198.51.100.0/24, "2001:db8:1::/48"]'

const sources = mapping({
  allow: list(prefix, PREFIXES).optional(),
  allowFrom: path.optional(),
  deny: list(prefix, PREFIXES).default([]),
  denyFrom: path.optional(),
  denied: oneOf('drop', 'reject').default('drop'),
}).transform(({ allow, allowFrom, deny, denyFrom, denied }, context): SourceRules => {
  const table = new PrefixTable()
  const add = (key: string, prefixes: readonly Prefix[], number: number) => {
    for (const [i, one] of prefixes.entries())
      if (!table.add(one, number))
        context.issues.push({
          code: 'custom',
          input: one,
          message: 'each prefix once',
          path: [key, i],
        })
  }
  add('allow', allow ?? [], ALLOWED)
  add('deny', deny, DENIED)
  const isOpen = allow === undefined && allowFrom === undefined
  return { table, allowFrom, denyFrom, isOpen, denied }
})

const slowStart = time('a time such as 30s or 5m, from 1s to 1h', SECOND_US, HOUR_US, MS_US)

const CONTAINERS = 'a list such as [{name: web-1, address: 10.77.0.11}]'

/** A list, or who knows it. */
const containers = z.unknown().transform((value, context): Pick<ServiceConfig, 'containers' | 'source'> => {
  const isSource = typeof value === 'object' && value !== null && !Array.isArray(value)
  const parsed = isSource ? sourceSchema.safeParse(value) : list(containerSchema, CONTAINERS).safeParse(value)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as never)
    return z.NEVER
  }
  return Array.isArray(parsed.data)
    ? { containers: parsed.data }
    : { containers: [], source: parsed.data as SourceConfig }
})

const ADDRESSES = 'a list such as [203.0.113.10, "2001:db8::10"]'

export const serviceSchema: z.ZodType<ServiceConfig> = mapping({
  name,
  addresses: list(anyAddress, ADDRESSES).min(1, 'at least one address'),
  ports,
  containers,
  algorithm: oneOf(...ALGORITHMS).default('maglev'),
  affinity: affinity.prefault({}),
  health: health.optional(),
  slowStart: slowStart.optional(),
  maximumShare: percent(1, 99).optional(),
  pins: list(pin, 'a list such as [{source: 198.51.100.0/24, container: web-1}]').default([]),
  pinsFrom: pinFile.optional(),
  sources: sources.optional(),
  quota: integer(1, MOST_ENTRIES).optional(),
  empty: oneOf('reject', 'drop').default('reject'),
  replies: oneOf('endpoint', 'flow').default('endpoint'),
}).transform(
  ({ containers: { containers, source }, slowStart: slowStartMs, pinsFrom, ...given }): ServiceConfig => ({
    ...given,
    containers,
    source,
    slowStartMs,
    pinFile: pinsFrom,
  }),
)
