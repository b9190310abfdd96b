import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import type { Fault } from '../config/faults.ts'
import { formatPath, MOST_SHOWN, oneLine } from '../config/issue.ts'
import { EXIT_CODES, OnehopError } from '../errors.ts'
import { listOf } from './schemas.ts'

/** What every answer is that is not the one asked for: RFC 9457, with what is wrong value by value. */
export const PROBLEM_TYPE = 'application/problem+json'

const fault = z
  .object({
    in: z.enum(['path', 'query', 'header', 'body']),
    field: z.string().describe('Where in it, such as names[0]; empty: all of it'),
    value: z.string().describe('As it came, cut after 160 characters; `missing` if it did not'),
    expected: z.string(),
  })
  .meta({ id: 'Fault', description: 'A value that cannot be' })

export const problem = z
  .object({
    title: z.string().describe('The name of the HTTP status'),
    status: z.int(),
    code: z
      .enum([...Object.keys(EXIT_CODES), 'E_DEFECT'])
      .describe('Whose turn it is: E_USAGE that of who asked, E_DEFECT that of onehop'),
    detail: z.string().describe('For people: a line for each thing that is wrong'),
    errors: listOf(fault).describe(`The first ${MOST_SHOWN}`),
  })
  .meta({ id: 'Problem', description: 'Why not (RFC 9457)' })

export type Problem = z.output<typeof problem>
export type PlacedFault = Fault & { readonly in: 'path' | 'query' | 'header' | 'body' }

/** A request that its route's declaration does not allow. */
export class Refusal extends OnehopError {
  readonly faults: readonly PlacedFault[]

  constructor(faults: readonly PlacedFault[]) {
    const lines = faults
      .slice(0, MOST_SHOWN)
      .map((one) => `${formatPath(one.path) || one.in}: ${one.message}`)
    const rest = faults.length - lines.length
    super('E_USAGE', [...lines, ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n'))
    this.faults = faults
  }
}

/** A body of a type that its route does not take. */
export class UnfitType extends Error {
  readonly statusCode = 415

  constructor(type: string | undefined, expected: string) {
    super(`content-type ${type ?? 'missing'}; expected ${expected}`)
  }
}

const STATUS_OF: Readonly<Record<string, number>> = { E_USAGE: 400, E_CONFIG: 400, E_INPUT: 400 }

/** Any error as its answer. What is neither the asker's fault nor the system's is a defect, and told no more than that. */
export function problemOf(error: unknown): Problem {
  if (error instanceof OnehopError)
    return makeProblem(
      STATUS_OF[error.code] ?? 503,
      error.message,
      error.code,
      error instanceof Refusal ? error.faults : [],
    )
  const { statusCode, message } = error as { readonly statusCode?: number; readonly message?: string }
  if (statusCode !== undefined && statusCode < 500)
    return makeProblem(statusCode, oneLine(message ?? ''), 'E_USAGE')
  return makeProblem(500, "a defect of onehop's own; its log says more", 'E_DEFECT')
}

export const makeProblem = (
  status: number,
  detail: string,
  code: string,
  faults: readonly PlacedFault[] = [],
): Problem => ({
  title: STATUS_CODES[status] ?? String(status),
  status,
  code,
  detail,
  errors: faults
    .slice(0, MOST_SHOWN)
    .map((one) => ({ in: one.in, field: formatPath(one.path), value: one.value, expected: one.expected })),
})
