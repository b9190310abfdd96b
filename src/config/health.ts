import type { ContainerConfig, ServiceConfig } from './config.ts'

/**
 * The port that a service's checks ask: as configured, or the container's end of the service's first port of the
 * protocol that is asked over. Undefined for checks without ports.
 */
export function healthPortOf(
  { health, ports }: ServiceConfig,
  container: ContainerConfig | undefined,
): number | undefined {
  if (health === undefined || health.asks.type === 'icmp') return undefined
  if (health.asks.port !== undefined) return health.asks.port
  const wanted = health.asks.type === 'udp' ? 'udp' : 'tcp'
  const rule = ports === 'all' ? undefined : ports.find(({ protocol }) => protocol === wanted)
  return rule && (container?.port ?? rule.target)
}
