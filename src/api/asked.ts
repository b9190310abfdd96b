import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { describeIssue } from '../config/faults.ts'
import { type PlacedFault, Refusal, UnfitType } from './problem.ts'
import { isBytes, type Route } from './route.ts'

export const JSON_TYPE = 'application/json'

const NOTHING = z.strictObject({}, { error: '' })

/** What a request asks, as its route declares it. Throws Refusal with everything that is wrong, UnfitType for a body of another type. */
export function readAsked({ params, query, headers, body }: Route, request: FastifyRequest) {
  const faults: PlacedFault[] = []
  const read = (place: PlacedFault['in'], schema: z.ZodType, value: unknown): unknown => {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    for (const issue of result.error.issues)
      for (const fault of describeIssue(issue, value)) faults.push({ ...fault, in: place })
    return undefined
  }
  const asked = {
    params: read('path', params ?? NOTHING, request.params),
    query: read('query', query ?? NOTHING, request.query),
    headers: headers && read('header', headers, request.headers),
    body: isBytes(body) ? readBytes(body.type, request) : body && read('body', body, jsonOf(request)),
  }
  if (faults.length > 0) throw new Refusal(faults)
  return asked
}

function readBytes(type: string, request: FastifyRequest): Uint8Array {
  if (!Buffer.isBuffer(request.body)) throw new UnfitType(request.headers['content-type'], type)
  return request.body
}

function jsonOf(request: FastifyRequest): unknown {
  if (Buffer.isBuffer(request.body)) throw new UnfitType(request.headers['content-type'], JSON_TYPE)
  return request.body
}
