import type { Config, ServiceConfig } from './config.ts'
import { childOf, describeIssue } from './faults.ts'
import type { Issue } from './issue.ts'
import { checkRules, type PlacedService } from './rules.ts'
import { frameSchema } from './schema/frame.ts'
import { serviceSchema } from './schema/service.ts'

/** A config from plain values, or everything that is wrong with them. */
export function validateConfig(value: unknown): Config | readonly Issue[] {
  const frame = frameSchema.safeParse(value)
  const issues: Issue[] = frame.success
    ? []
    : frame.error.issues.flatMap((issue) => describeIssue(issue, value))
  const services: PlacedService[] = []
  for (const [i, given] of listedServices(value).entries()) {
    const service = serviceSchema.safeParse(given)
    if (service.success) services.push({ path: ['services', i], service: service.data })
    else issues.push(...service.error.issues.flatMap((issue) => describeIssue(issue, value, ['services', i])))
  }
  for (const issue of checkRules(services, frame.success ? frame.data : undefined)) issues.push(issue)
  if (issues.length > 0 || !frame.success) return issues
  return {
    ...frame.data,
    key: frame.data.key,
    damping: frame.data.damping,
    metrics: frame.data.metrics,
    api: frame.data.api,
    docker: frame.data.docker,
    services: services.map(({ service }) => service),
  }
}

/** One service alone, from plain values; paths begin at the service. */
export function validateService(value: unknown): ServiceConfig | readonly Issue[] {
  const service = serviceSchema.safeParse(value)
  if (!service.success) return service.error.issues.flatMap((issue) => describeIssue(issue, value))
  const issues = checkRules([{ path: [], service: service.data }], undefined)
  return issues.length > 0 ? issues : service.data
}

function listedServices(value: unknown): readonly unknown[] {
  const services = childOf(value, 'services')
  return Array.isArray(services) ? services : []
}
