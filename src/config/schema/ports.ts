import { z } from 'zod'
import type { PortRule } from '../config.ts'
import { isPort, list, text, Unfit } from '../values.ts'

const PORT_RULE =
  'PORT/tcp, PORT/udp or PORT/any, with ->TARGET where the container has another port (80/tcp->8080)'

/** `80/tcp`, `80/tcp->8080`; 'all' is let through for the list that it must stand alone in. */
const portRule = text(PORT_RULE, (value): PortRule | 'all' | undefined => {
  if (value === 'all') return value
  const [, port, protocol, target] = /^([0-9]{1,5})\/(tcp|udp|any)(?:->([0-9]{1,5}))?$/.exec(value) ?? []
  if (port === undefined || !isProtocol(protocol)) return undefined
  const rule = { port: Number(port), protocol, target: Number(target ?? port) } as const
  if (!isPort(rule.port) || !isPort(rule.target)) throw new Unfit('ports from 1 to 65535')
  return rule
})

const isProtocol = (text: string | undefined): text is PortRule['protocol'] =>
  text === 'tcp' || text === 'udp' || text === 'any'

const PORTS = 'a list such as [80/tcp, 443/tcp], or all'

export const ports = z
  .preprocess((value) => (value === 'all' ? ['all'] : value), list(portRule, PORTS).min(1, PORTS))
  .transform((rules, context): readonly PortRule[] | 'all' => {
    const some = rules.filter((rule) => rule !== 'all')
    if (some.length === rules.length) return some
    if (rules.length === 1) return 'all'
    context.issues.push({ code: 'custom', input: rules, message: 'either single ports or all' })
    return z.NEVER
  })
