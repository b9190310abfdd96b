import type { ContainerConfig, ServiceConfig } from './schema.ts'

/** The TCP port that a service's checks ask: as configured, or the container's end of the service's first TCP port. */
export function healthPortOf(
  { health, ports }: ServiceConfig,
  container: ContainerConfig | undefined,
): number | undefined {
  if (health?.port !== undefined) return health.port
  const rule = ports === 'all' ? undefined : ports.find(({ protocol }) => protocol === 'tcp')
  return rule && (container?.port ?? rule.target)
}
