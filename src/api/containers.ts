import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { LONGEST_DEADLINE_MS, type Standing } from '../containers/container-list.ts'
import { OnehopError } from '../errors.ts'
import { readBody } from './body.ts'

/** What may be asked of the container list. What changes it throws E_USAGE for a name it does not have. */
export interface ContainersSource {
  list(): readonly Standing[]
  drain(names: readonly string[], deadlineMs: number | undefined): void
  undrain(names: readonly string[]): void
  weigh(names: readonly string[], weight: number): void
}

const MOST_WEIGHT = 256
const SECOND_MS = 1_000

const WEIGHT = `weight: expected a whole number from 0 to ${MOST_WEIGHT}`
const DEADLINE = 'deadline: expected from 1s to 7d'

const names = z
  .array(z.string('names: expected texts'), 'names: expected a list')
  .min(1, 'names: expected one')
const drain = z.strictObject({
  names,
  deadlineMs: z.number(DEADLINE).min(SECOND_MS, DEADLINE).max(LONGEST_DEADLINE_MS, DEADLINE).optional(),
})
const undrain = z.strictObject({ names })
const weight = z.strictObject({ names, weight: z.int(WEIGHT).min(0, WEIGHT).max(MOST_WEIGHT, WEIGHT) })

/** Adds `GET /v1/containers` and what changes them; each answers with the list as it stands then, or 400 and why. */
export function serveContainers(server: FastifyInstance, source: ContainersSource): void {
  const post = <Body>(action: string, schema: z.ZodType<Body>, change: (body: Body) => void) =>
    server.post(`/v1/containers/${action}`, (request, reply) => {
      try {
        change(readBody(schema, request.body))
      } catch (error) {
        if (!(error instanceof OnehopError)) throw error
        return reply.code(400).send({ message: error.message })
      }
      return reply.send(source.list())
    })
  server.get('/v1/containers', () => source.list())
  post('drain', drain, (body) => source.drain(body.names, body.deadlineMs))
  post('undrain', undrain, (body) => source.undrain(body.names))
  post('weight', weight, (body) => source.weigh(body.names, body.weight))
}
