import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import type { ApiSource } from '../../src/api/source.ts'
import { serveTcp, type TcpApi } from '../../src/api/tcp.ts'
import { configFromFlags } from '../../src/config/flags.ts'
import { parseConfig } from '../../src/config/load.ts'
import { makeCertificate } from '../support/certificate.ts'
import { onehop } from '../support/cli.ts'
import { exampleStatus } from '../support/example-status.ts'

const TOKEN = 'a-token-of-thirty-two-characters'
const PAIR = makeCertificate()
const OTHER = makeCertificate()

let folder = ''
let api: TcpApi | undefined
const at = (name: string) => join(folder, name)
const write = (name: string, text: string, mode = 0o600) => {
  writeFileSync(at(name), text, { mode })
  return at(name)
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-api-tcp-'))
  write('token', `${TOKEN}\n`)
  write('cert', PAIR.cert)
  write('key', PAIR.key)
  write('other', OTHER.cert)
})
afterEach(async () => {
  await api?.close()
  api = undefined
  rmSync(folder, { recursive: true })
})

const TLS = () => ({ cert: at('cert'), key: at('key') })

async function serve(tls: ReturnType<typeof TLS> | undefined): Promise<string> {
  const listen = { host: '127.0.0.1', port: 0 }
  const source = { status: exampleStatus } as Partial<ApiSource> as ApiSource
  api = await serveTcp({ listen, tokenFile: at('token'), tls }, source, (error) => assert.fail(String(error)))
  return `${tls ? 'https' : 'http'}://127.0.0.1:${api.port}`
}

const status = (url: string, token: string, ...more: readonly string[]) =>
  onehop('status', '--json', '--api', url, '--token-file', token, ...more)

for (const tls of [true, false])
  test(`answers whoever brings the token ${tls ? 'over TLS' : 'on a loopback address'}`, async () => {
    const url = await serve(tls ? TLS() : undefined)
    const { code, stdout, stderr } = await status(url, at('token'), '--ca', at('cert'))
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(exampleStatus())))
  })

test('a new token holds at once, the old one no more', async () => {
  const url = await serve(undefined)
  write('next', 'another-token-of-enough-letters')
  assert.match(
    (await status(url, at('next'))).stderr,
    /GET \/v1\/status answers 401: no token, or another one/,
  )
  write('old', TOKEN)
  renameSync(at('next'), at('token'))
  assert.equal((await status(url, at('token'))).code, 0)
  assert.equal((await status(url, at('old'))).code, 1)
})

test('nothing is answered without the token, whatever is asked', async () => {
  const url = await serve(undefined)
  const tries: [path: string, header: string][] = [
    ['/v1/status', ''],
    ['/v1/openapi.json', 'Bearer '],
    ['/v1/status', `Basic ${TOKEN}`],
    ['/v1/status', `Bearer ${TOKEN}x`],
    ['/v1/status', `Bearer ${TOKEN.slice(1)}`],
    ['/v1/none', `Bearer ${TOKEN.toUpperCase()}`],
  ]
  for (const [path, authorization] of tries) {
    const answer = await fetch(`${url}${path}`, { headers: authorization === '' ? {} : { authorization } })
    assert.equal(answer.status, 401, path)
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
    assert.equal(((await answer.json()) as { status: number }).status, 401)
  }
})

test('a token file that others may read, or without a token, is refused at the start and afterwards', async () => {
  chmodSync(at('token'), 0o640)
  await assert.rejects(serve(undefined), { code: 'E_SYSTEM', message: /token: mode 0640; expected .*0600/ })
  write('token', 'short')
  chmodSync(at('token'), 0o600)
  await assert.rejects(serve(undefined), { message: /no token; expected at least 16/ })
  rmSync(at('token'))
  await assert.rejects(serve(undefined), { message: /token: open: ENOENT/ })
  write('token', TOKEN)
  const url = await serve(undefined)
  write('mine', TOKEN)
  chmodSync(at('token'), 0o644)
  assert.match((await status(url, at('mine'))).stderr, /answers 503: .*mode 0644/)
})

test('a certificate that cannot be used is refused at the start', async () => {
  write('key', OTHER.key)
  await assert.rejects(serve(TLS()), { code: 'E_SYSTEM', message: /expected a certificate and its key, PEM/ })
  rmSync(at('key'))
  await assert.rejects(serve(TLS()), { code: 'E_SYSTEM', message: /key: open: ENOENT; expected a PEM file/ })
})

test('a renewed certificate is the one that the next connection sees, and one that cannot be used changes nothing', async () => {
  const url = await serve(TLS())
  const isTrusted = async (by: string) => (await status(url, at('token'), '--ca', at(by))).code === 0
  assert.deepEqual([await isTrusted('cert'), await isTrusted('other')], [true, false])
  write('first', PAIR.cert)
  write('cert', OTHER.cert)
  assert.throws(() => api!.renew(), { code: 'E_SYSTEM', message: /expected a certificate and its key, PEM/ })
  assert.deepEqual([await isTrusted('first'), await isTrusted('other')], [true, false])
  write('key', OTHER.key)
  api!.renew()
  assert.deepEqual([await isTrusted('first'), await isTrusted('other')], [false, true])
})

test('a command says why it does not reach the daemon', async () => {
  const url = await serve(TLS())
  const { port } = new URL(url)
  const unused = await unusedPort()
  const tries: [url: string, more: readonly string[], code: number, message: RegExp][] = [
    [url, [], 1, /certificate is not trusted; expected one that --ca signed/],
    [url, ['--ca', at('other')], 1, /certificate is not trusted/],
    [url, ['--ca', at('none')], 2, /--ca .*ENOENT; expected a PEM file/],
    [`https://localhost:${port}`, ['--ca', at('cert')], 1, /for another name than --api has|ECONNREFUSED/],
    [`https://127.0.0.1:${unused}`, ['--ca', at('cert')], 1, /ECONNREFUSED: no daemon answers here/],
    ['http://192.0.2.1:1', [], 2, /expected https:\/\//],
    ['127.0.0.1:1', [], 2, /expected https:\/\/HOST:PORT/],
  ]
  for (const [to, more, code, message] of tries) {
    const { stderr, ...answer } = await status(to, at('token'), ...more)
    assert.match(stderr, message)
    assert.equal(answer.code, code, stderr)
  }
  const { code, stderr } = await onehop('status', '--api', url)
  assert.deepEqual([code, /--token-file: missing/.test(stderr)], [2, true])
})

async function unusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const CONFIG = 'version: 1\ninterfaces: {bridges: [br0]}\nservices: []\napi:'

test('a config without TLS may name loopback addresses only', () => {
  for (const listen of ['127.0.0.1:9465', '127.9.9.9:1', '"[::1]:9465"'])
    assert.ok(parseConfig(`${CONFIG} {listen: ${listen}, tokenFile: /t}\n`, 'c').api)
  for (const listen of ['0.0.0.0:9465', '192.0.2.1:9465', '"[::]:9465"'])
    assert.throws(() => parseConfig(`${CONFIG} {listen: ${listen}, tokenFile: /t}\n`, 'c'), {
      message:
        /^c:4:\d+: api\.listen: .*; expected a loopback address such as 127\.0\.0\.1:9465, or tls besides$/,
    })
  const { api } = parseConfig(`${CONFIG} {listen: 0.0.0.0:1, tokenFile: /t, tls: {cert: /c, key: /k}}\n`, 'c')
  assert.deepEqual(api, {
    listen: { host: '0.0.0.0', port: 1 },
    tokenFile: '/t',
    tls: { cert: '/c', key: '/k' },
  })
})

test('flags say the same', () => {
  const flags = { bridge: ['br0'], service: ['203.0.113.10:80/tcp'], container: ['a=10.0.0.1'] }
  const { api } = configFromFlags({ ...flags, api: '127.0.0.1:9465', apiTokenFile: '/t' })
  assert.deepEqual(api, { listen: { host: '127.0.0.1', port: 9465 }, tokenFile: '/t', tls: undefined })
  assert.throws(
    () => configFromFlags({ ...flags, api: '192.0.2.1:9465', apiTokenFile: '/t', apiCert: '/c' }),
    {
      message: /--api-key: missing; expected an absolute path/,
    },
  )
})
