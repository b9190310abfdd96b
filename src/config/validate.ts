import type { z } from 'zod'
import type { Config, ServiceConfig } from './config.ts'
import { type Issue, MOST_SHOWN, nearest, type Path, quoteValue } from './issue.ts'
import { checkRules, type PlacedService } from './rules.ts'
import { frameSchema } from './schema/frame.ts'
import { serviceSchema } from './schema/service.ts'

/** A config from plain values, or everything that is wrong with them. */
export function validateConfig(value: unknown): Config | readonly Issue[] {
  const frame = frameSchema.safeParse(value)
  const issues: Issue[] = frame.success ? [] : frame.error.issues.flatMap((issue) => describe(issue, value))
  const services: PlacedService[] = []
  for (const [i, given] of listedServices(value).entries()) {
    const service = serviceSchema.safeParse(given)
    if (service.success) services.push({ path: ['services', i], service: service.data })
    else issues.push(...service.error.issues.flatMap((issue) => describe(issue, value, ['services', i])))
  }
  for (const issue of checkRules(services, frame.success ? frame.data : undefined)) issues.push(issue)
  if (issues.length > 0 || !frame.success) return issues
  return {
    ...frame.data,
    key: frame.data.key,
    metrics: frame.data.metrics,
    docker: frame.data.docker,
    services: services.map(({ service }) => service),
  }
}

/** One service alone, from plain values; paths begin at the service. */
export function validateService(value: unknown): ServiceConfig | readonly Issue[] {
  const service = serviceSchema.safeParse(value)
  if (!service.success) return service.error.issues.flatMap((issue) => describe(issue, value))
  const issues = checkRules([{ path: [], service: service.data }], undefined)
  return issues.length > 0 ? issues : service.data
}

function listedServices(value: unknown): readonly unknown[] {
  const services = childOf(value, 'services')
  return Array.isArray(services) ? services : []
}

/** zod's issue in onehop's words: the value, and what was expected in its place. */
function describe(issue: z.core.$ZodIssue, root: unknown, above: Path = []): Issue[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, MOST_SHOWN)
      .map((key) => describeUnknownKey(key, path, issue.message.split(' ')))
  const value = path.reduce(childOf, root)
  const what = value === undefined || value === null ? 'missing' : quoteValue(value)
  return [{ path, at: 'value', message: `${what}; expected ${issue.message}` }]
}

function describeUnknownKey(key: string, path: Path, known: readonly string[]): Issue {
  const meant = nearest(key, known)
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${meant}?`
  return { path: [...path, key], at: 'key', message: `unknown key ${quoteValue(key)}; ${hint}` }
}

/** Values come from YAML or flags: mappings without a prototype's own keys, lists, and scalars. */
const childOf = (value: unknown, step: PropertyKey): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<PropertyKey, unknown>)[step]
    : undefined
