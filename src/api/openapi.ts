import { z } from 'zod'
import { JSON_TYPE } from './asked.ts'
import { PROBLEM_TYPE, problem } from './problem.ts'
import { type Bytes, isBytes, type Route } from './route.ts'

/** An OpenAPI document (spec.openapis.org/oas/v3.1.1), as far as anybody here looks into it. */
export interface OpenApi {
  readonly openapi: '3.1.1'
  readonly [part: string]: unknown
}

type Schema = Readonly<Record<string, unknown>>

/** What the routes declare, as an OpenAPI document. Schemas that have an `id` become its components. */
export function describeApi(routes: readonly Route[], version: string): OpenApi {
  const components: Record<string, unknown> = {}
  const schemaOf = (schema: z.ZodType): Schema => {
    const { $schema: _, $defs, ...own } = relocate(z.toJSONSchema(schema, { io: 'input', override: trim }))
    Object.assign(components, $defs)
    return own
  }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeRoute(route, schemaOf) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'onehop',
      version,
      description: "Takes a client's packets from a service's public address to its container in one hop.",
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: components, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    // The control socket asks for none.
    security: [{ token: [] }, {}],
  }
}

type SchemaOf = (schema: z.ZodType) => Schema

const describeRoute = (
  { method, path, summary, params, query, headers, body, answer }: Route,
  schemaOf: SchemaOf,
) => ({
  operationId: operationIdOf(method, path),
  tags: [path.split('/')[2]],
  summary,
  parameters: [
    ...parametersOf('path', params, schemaOf),
    ...parametersOf('query', query, schemaOf),
    ...parametersOf('header', headers, schemaOf),
  ],
  ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body, schemaOf) } }),
  responses: {
    200: describeAnswer(answer, schemaOf),
    default: {
      description: 'Why not: 400 for what cannot be meant, with what is wrong value by value',
      content: { [PROBLEM_TYPE]: { schema: schemaOf(problem) } },
    },
  },
})

/** `POST /v1/table/pin` is postTablePin; a part that may vary is left out. */
const operationIdOf = (method: string, path: string): string =>
  [method.toLowerCase(), ...path.split(/[/.]/).slice(2)]
    .filter((part) => !part.startsWith(':'))
    .map((part, i) => (i === 0 ? part : part[0]!.toUpperCase() + part.slice(1)))
    .join('')

function parametersOf(place: 'path' | 'query' | 'header', schema: z.ZodType | undefined, schemaOf: SchemaOf) {
  if (schema === undefined) return []
  const { properties, required = [] } = schemaOf(schema) as {
    readonly properties: Readonly<Record<string, Schema>>
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, { description, ...own }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: own,
  }))
}

function describeAnswer(answer: z.ZodType | Bytes, schemaOf: SchemaOf) {
  const content = contentOf(answer, schemaOf)
  if (!isBytes(answer)) return { description: 'As asked', content }
  const headers = Object.entries(answer.headers ?? {}).map(([name, description]) => [
    name,
    { description, required: true, schema: { type: 'string' } },
  ])
  return { description: answer.description, headers: Object.fromEntries(headers), content }
}

/** Content that is no JSON has no schema, but for a text what it looks like (OAS 3.1.1 section 4.8.14.2). */
const contentOf = (content: z.ZodType | Bytes, schemaOf: SchemaOf) =>
  isBytes(content) ? { [content.type]: {} } : { [JSON_TYPE]: { schema: schemaOf(content) } }

/** zod puts schemas with an id under `$defs`; a document has them in one place. */
const relocate = (schema: object): Schema =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'))

/** zod bounds every whole number by what JavaScript can count exactly, which says nothing about it. */
function trim({ jsonSchema }: { readonly jsonSchema: { minimum?: number; maximum?: number; id?: string } }) {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}
