import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import type { Api } from '../../src/api/api.ts'
import type { PlanSource } from '../../src/api/plan.ts'
import { MOST_CONNECTIONS } from '../../src/api/server.ts'
import { compileSnapshot } from '../../src/compile.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig, readConfigBytes } from '../../src/config/load.ts'
import { Places } from '../../src/config/places.ts'
import type { Conditions } from '../../src/containers/conditions.ts'
import { ContainerList } from '../../src/containers/container-list.ts'
import { OnehopError } from '../../src/errors.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { makePlan } from '../../src/plan/make.ts'
import { suppose } from '../../src/plan/suppose.ts'
import { serveSource } from '../support/api.ts'
import { hostileBodies, type Schema, valuesOf } from '../support/api-requests.ts'
import { exampleStatus } from '../support/example-status.ts'
import { Operated } from '../support/operated.ts'
import { Random } from '../support/random.ts'
import { exampleRefusal, reportOf } from '../support/refusal.ts'

const YAML = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]}
  - {name: all, addresses: [203.0.113.11], ports: all, containers: [{name: a, address: 10.0.0.1}]}
`

/** What needs a daemon at work refuses, once the request has been read. */
const REFUSAL = new OnehopError('E_USAGE', 'not here')
const refuse = () => {
  throw REFUSAL
}

interface Content {
  readonly [type: string]: { readonly schema?: Schema }
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content: Content }>>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Buffer
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly type: string | undefined
  readonly body: Uint8Array | undefined
}

const SEED = Random.fromEnvironment().seed
console.error(`API: ONEHOP_SEED=${SEED}`)

let folder = ''
let socketPath = ''
let api: Api
const operated = new Operated(YAML)
let operations: readonly Operation[] = []
/** As a daemon plans; what would apply one refuses. */
function plansOf(config: Config): PlanSource {
  const { identities, table } = operated
  const compile = (next: Config, conditions?: Conditions) =>
    compileSnapshot(next, new Identities(identities), new Uint8Array(16), conditions)
  const plan = (next: Config, top: number, conditions?: Conditions) =>
    makePlan(
      {
        before: { config, snapshot: compile(config) },
        after: { config: next, snapshot: compile(next, conditions) },
        ...{ engine: table, identities, clock: { nowSeconds: () => 1_000, zeroMs: () => 0 }, top, notes: [] },
      },
      () => Promise.resolve(),
    )
  return {
    plan: async (bytes, file, top) => plan(readConfigBytes(bytes, file), top),
    whatIf: async (supposition, top) => {
      const supposed = suppose(config, new Map(), supposition)
      return plan(supposed.config, top, supposed.conditions)
    },
    apply: () => Promise.reject(REFUSAL),
  }
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-api-property-'))
  socketPath = join(folder, 'sock')
  const config = parseConfig(YAML, 'c.yaml')
  const list = new ContainerList(() => {})
  const places = new Places()
  places.follow(config.services)
  api = await serveSource(socketPath, {
    status: exampleStatus,
    table: operated.operator,
    plans: plansOf(config),
    explainer: {
      explain: () => Promise.reject(REFUSAL),
      explainPast: () => Promise.reject(REFUSAL),
    },
    watch: { capture: refuse, trace: refuse },
    drops: reportOf(() => [exampleRefusal('drop fragment', 3)]),
    events: { stream: refuse },
    containers: {
      list: (names) =>
        [...list.standings(config)].filter(({ container }) => names?.includes(container) ?? true),
      drain: (names, deadlineMs) => list.drain(places, names, deadlineMs),
      undrain: (names) => list.undrain(places, names),
      weigh: (names, weight) => list.weigh(places, names, weight),
    },
  })
  const { body } = await send({ method: 'GET', path: '/v1/openapi.json', type: undefined, body: undefined })
  const document = closed(JSON.parse(body.toString())) as { readonly paths: object }
  ajv.addSchema(document, 'document')
  operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, at]) =>
      Object.entries(at).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  )
})
after(async () => {
  await api.close()
  rmSync(folder, { recursive: true })
})

/** What the document does not name must not be answered either. */
const closed = (part: unknown): unknown => {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  const own = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, closed(value)]))
  return own.type === 'object' && 'properties' in own ? { additionalProperties: false, ...own } : own
}

const send = ({ method, path, type, body }: Asked) =>
  new Promise<Answer>((resolve, reject) => {
    const headers = {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(body === undefined ? {} : { 'content-length': body.length }),
    }
    const asking = request({ socketPath, method, path, headers, agent: false }, async (answer) => {
      const body = Buffer.concat(await answer.toArray())
      const [contentType = ''] = (answer.headers['content-type'] ?? '').split(';')
      resolve({ status: answer.statusCode ?? 0, type: contentType, body })
    })
    asking.on('error', reject)
    asking.end(body)
  })

/** An answer is what its operation declares, and never a defect. */
function check(operation: Operation, asked: Asked, { status, type, body }: Answer): void {
  const what = `${asked.method} ${asked.path} answers ${status} ${body.toString().slice(0, 300)}`
  assert.ok(status < 500, what)
  const key = status in operation.responses ? String(status) : 'default'
  const content = operation.responses[key]!.content[type]
  assert.ok(content !== undefined, `${what}: undeclared ${type}`)
  if (content.schema === undefined) return
  const at = [
    'paths',
    operation.path,
    operation.method.toLowerCase(),
    'responses',
    key,
    'content',
    type,
    'schema',
  ]
  const pointer = at
    .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/')
  const validate = ajv.getSchema(`document#/${pointer}`)!
  assert.ok(validate(JSON.parse(body.toString())), `${what}: ${ajv.errorsText(validate.errors)}`)
}

const pathOf = ({ path, parameters }: Operation): fc.Arbitrary<string> =>
  fc.tuple(...parameters.map(({ schema }) => valuesOf(schema))).map((values) => {
    const query = new URLSearchParams()
    let filled = path
    for (const [i, parameter] of parameters.entries())
      if (parameter.in === 'query') query.set(parameter.name, textOf(values[i]))
      else filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(wellFormed(textOf(values[i]))))
    return query.size === 0 ? filled : `${filled}?${query}`
  })

/** Of a mapping whose own toString is none, too. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Half a surrogate pair has no percent-encoding. */
const wellFormed = (text: string): string => Buffer.from(text).toString()

const bodyOf = ({
  requestBody,
}: Operation): readonly [type: string, schema: Schema | undefined] | undefined => {
  const [found] = Object.entries(requestBody?.content ?? {})
  return found && [found[0], found[1].schema]
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

function validOf(operation: Operation): fc.Arbitrary<Asked> {
  const { method } = operation
  const [type, schema] = bodyOf(operation) ?? []
  const body =
    type === undefined
      ? fc.constant(undefined)
      : schema === undefined
        ? fc.uint8Array({ maxLength: 300 })
        : valuesOf(schema).map(encode)
  return fc.tuple(pathOf(operation), body).map(([path, body]) => ({ method, path, type, body }))
}

const TYPES = [
  'application/json',
  'application/octet-stream',
  'text/plain',
  'application/json; charset=utf-16',
  'x',
  '',
]
const TAILS = [
  '',
  '?',
  '?a=b',
  '?names[0]=a&names[0]=b',
  '?__proto__[x]=1',
  '/',
  '/../status',
  '%00',
  '%zz',
  '%',
  ';a',
  '#a',
]

function hostileOf(operation: Operation): fc.Arbitrary<Asked> {
  const method = fc.constantFrom(
    operation.method,
    operation.method,
    'GET',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
  )
  const path = fc.tuple(pathOf(operation), fc.constantFrom(...TAILS)).map((parts) => parts.join(''))
  const type = fc.oneof(fc.constant('application/json'), fc.constantFrom(...TYPES))
  const body = hostileBodies(
    bodyOf(operation)?.[1] ?? { type: 'object', properties: { cursor: { type: 'integer' } } },
  )
  return fc.record({ method, path, type, body })
}

/** Answers of other operations than the one meant are theirs to describe; a problem looks the same everywhere. */
async function hold(asked: Asked, operation: Operation): Promise<void> {
  const answer = await send(asked)
  const meant = operations.find(
    ({ method, path }) => method === asked.method && pathMatches(path, asked.path),
  )
  check(meant ?? { ...operation, responses: { default: operation.responses.default! } }, asked, answer)
}

const pathMatches = (template: string, path: string): boolean =>
  new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/?]+')}(\\?.*)?$`).test(
    path.split('#')[0]!,
  )

for (const [name, requests, numRuns] of [
  ['every valid request', validOf, 60],
  ['every hostile request', hostileOf, 150],
] as const)
  test(`${name} gets an answer that the document declares, and never a defect`, async () => {
    assert.ok(operations.length >= 12)
    for (const operation of operations)
      await fc.assert(
        fc.asyncProperty(requests(operation), (asked) => hold(asked, operation)),
        { numRuns, seed: SEED, includeErrorInReport: true },
      )
  })

/** Everything that the other end says to what is written, until it closes. */
const converse = (...chunks: readonly (string | Uint8Array)[]) =>
  new Promise<string>((resolve) => {
    const socket = connect(socketPath)
    const heard: Buffer[] = []
    socket.on('data', (chunk: Buffer) => heard.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(heard).toString('latin1')))
    for (const chunk of chunks) socket.write(chunk)
  })

const STATUS_LINE = /HTTP\/1\.1 (\d{3})/g
const statusesIn = (text: string): readonly string[] =>
  Array.from(text.matchAll(STATUS_LINE), ([, status]) => status!)

test('pipelined requests are answered in turn, whatever stands between them', async () => {
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`
  const post =
    'POST /v1/containers/undrain HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'
  const asked = [get('/v1/containers'), post, get('/v1/none'), get('/v1/table/pins', 'connection: close\r\n')]
  assert.deepEqual(statusesIn(await converse(asked.join(''))), ['200', '400', '404', '200'])
})

test('what follows the last request of a connection is not answered', async () => {
  const last = 'GET /v1/containers HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  assert.deepEqual(statusesIn(await converse(`${last}{"more": 1}`)), ['200'])
})

test('what is no HTTP is refused as a problem, and the next client is served', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 400 }), async (bytes) => {
      const heard = await converse(bytes, '\r\n\r\n\r\n')
      assert.match(heard, /^HTTP\/1\.1 (400|431|408) .*application\/problem\+json/s)
    }),
    { numRuns: 100, seed: SEED },
  )
  const headers = await converse(`GET /v1/status HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`)
  assert.deepEqual(statusesIn(headers), ['431'])
})

test('who sends a request slowly, or none at all, is told off within seconds, and keeps nobody waiting', async () => {
  const slow = [
    converse(''),
    converse('GET /v1/status HTTP/1.1\r\nhos'),
    converse(
      'POST /v1/table/import HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: 9\r\n\r\n1',
    ),
  ]
  const startMs = performance.now()
  const quick = await send({ method: 'GET', path: '/v1/containers', type: undefined, body: undefined })
  assert.equal(quick.status, 200)
  for (const heard of await Promise.all(slow)) assert.deepEqual(statusesIn(heard), ['408'])
  assert.ok(performance.now() - startMs < 20_000)
})

test('more connections than there is room for are closed, and those that came first are served', async () => {
  const sockets = Array.from({ length: MOST_CONNECTIONS + 20 }, () =>
    connect(socketPath).on('error', () => {}),
  )
  const closings = sockets.map((socket) => once(socket, 'close'))
  const [first, ...rest] = sockets
  first!.write('GET /v1/containers HTTP/1.1\r\nhost: x\r\n\r\n')
  const [answer] = (await once(first!, 'data')) as [Buffer]
  assert.deepEqual(statusesIn(answer.toString()), ['200'])
  for (const socket of rest) socket.resume()
  await Promise.all(closings.slice(MOST_CONNECTIONS))
  for (const socket of sockets) socket.destroy()
  await Promise.all(closings)
})
