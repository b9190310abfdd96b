import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { parseAddress } from '../config/address.ts'
import { OnehopError } from '../errors.ts'
import type { Question } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { readBody } from './body.ts'

export interface ExplainSource {
  /** Throws E_USAGE for a service that is not there, or none to ask. */
  explain(question: Question): Promise<Explanation>
}

const PORT = 'port: expected a whole number from 1 to 65535'

const question = z.strictObject({
  source: z.string('source: expected text').transform((text, context) => {
    const address = parseAddress(text)
    if (address !== undefined) return address
    context.issues.push({
      code: 'custom',
      input: text,
      message: `source: "${text}": expected an IPv4 or IPv6 address`,
    })
    return z.NEVER
  }),
  service: z.string('service: expected text').optional(),
  port: z.int(PORT).min(1, PORT).max(65_535, PORT).optional(),
  protocol: z.enum(['tcp', 'udp'], 'protocol: expected tcp or udp').optional(),
})

/** Adds `POST /v1/explain`: where a source's next packet goes, and why; 400 and why for what cannot be asked. */
export function serveExplain(server: FastifyInstance, explainer: ExplainSource): void {
  server.post('/v1/explain', async (request, reply) => {
    try {
      const { source, service, port, protocol } = readBody(question, request.body)
      const asked = port === undefined ? undefined : { port, protocol }
      return await explainer.explain({ source, service, port: asked })
    } catch (error) {
      if (!(error instanceof OnehopError)) throw error
      return reply.code(400).send({ message: error.message })
    }
  })
}
