import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { Api } from '../../src/api/api.ts'
import { serveSource } from '../support/api.ts'

const COMMITTED = join(import.meta.dirname, '..', '..', 'src', 'api', 'openapi.json')

let folder = ''
let api: Api
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-openapi-'))
  api = await serveSource(join(folder, 'sock'), {})
})
after(async () => {
  await api.close()
  rmSync(folder, { recursive: true })
})

interface Answer {
  readonly status: number | undefined
  readonly type: string | undefined
  readonly body: Record<string, unknown>
}

const ask = (method: string, path: string, type = '', body = '') =>
  new Promise<Answer>((resolve, reject) => {
    const headers = type === '' ? {} : { 'content-type': type }
    request({ socketPath: join(folder, 'sock'), method, path, headers }, async (answer) => {
      const chunks = await answer.toArray()
      const { statusCode: status, headers } = answer
      resolve({
        status,
        type: headers['content-type']?.split(';')[0],
        body: JSON.parse(Buffer.concat(chunks).toString()),
      })
    })
      .on('error', reject)
      .end(body)
  })

test('what is served as the OpenAPI document is what is committed (npm run openapi)', async () => {
  const { body } = await ask('GET', '/v1/openapi.json')
  assert.deepEqual(body, JSON.parse(readFileSync(COMMITTED, 'utf8')))
})

test('the document is valid by the schema of OpenAPI 3.1', async () => {
  const validator = new Validator({ strict: false })
  const { body } = await ask('GET', '/v1/openapi.json')
  assert.deepEqual(await validator.validate(structuredClone(body)), { valid: true })
  assert.equal(validator.version, '3.1')
  const broken = await validator.validate({ ...body, paths: { '/v1/status': { get: { responses: 7 } } } })
  assert.equal(broken.valid, false)
})

test('a refusal names field, value and what was expected, all at once', async () => {
  const body = '{"names": ["a", 7], "deadlineMs": "soon", "nmaes": 1}'
  const refused = await ask('POST', '/v1/containers/drain?verbose=1', 'application/json', body)
  assert.equal(refused.type, 'application/problem+json')
  const TIME = 'a time in milliseconds from 1000 (1s) to 604800000 (7d)'
  assert.deepEqual(refused.body, {
    title: 'Bad Request',
    status: 400,
    code: 'E_USAGE',
    detail: [
      'verbose: unknown key "verbose"; expected none',
      'names[1]: 7; expected a name',
      `deadlineMs: "soon"; expected ${TIME}`,
      'nmaes: unknown key "nmaes"; did you mean names?',
    ].join('\n'),
    errors: [
      { in: 'query', field: 'verbose', value: 'unknown key "verbose"', expected: 'none' },
      { in: 'body', field: 'names[1]', value: '7', expected: 'a name' },
      { in: 'body', field: 'deadlineMs', value: '"soon"', expected: TIME },
      { in: 'body', field: 'nmaes', value: 'unknown key "nmaes"', expected: 'names' },
    ],
  })
})

test('whatever else cannot be answered is a problem too', async () => {
  const cases: [status: number, detail: RegExp, asked: Parameters<typeof ask>][] = [
    [404, /^GET \/v1\/nothing: nothing is there/, ['GET', '/v1/nothing']],
    [404, /^DELETE \/v1\/status: nothing is there/, ['DELETE', '/v1/status']],
    [400, /table\/sources\/%zz/, ['GET', '/v1/table/sources/%zz']],
    [400, /^body: missing; expected a mapping with names/, ['POST', '/v1/containers/undrain']],
    [400, /JSON/, ['POST', '/v1/containers/undrain', 'application/json', '{']],
    [
      400,
      /not valid JSON/,
      ['POST', '/v1/containers/undrain', 'application/json', '{"__proto__": {"names": []}}'],
    ],
    [413, /too large/, ['POST', '/v1/containers/undrain', 'application/json', ' '.repeat(65_537)]],
    [415, /text\/plain/, ['POST', '/v1/containers/undrain', 'text/plain', 'a']],
    [
      415,
      /octet-stream; expected application\/json/,
      ['POST', '/v1/table/pin', 'application/octet-stream', 'a'],
    ],
    [415, /json; expected application\/octet-stream/, ['POST', '/v1/table/import', 'application/json', '{}']],
  ]
  for (const [status, detail, asked] of cases) {
    const { body, ...answer } = await ask(...asked)
    assert.deepEqual(answer, { status, type: 'application/problem+json' }, asked.join(' '))
    assert.equal(body.status, status)
    assert.match(String(body.detail), detail)
  }
})
