import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { z } from 'zod'
import { formatAddress } from '../../src/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { KubernetesConfig } from '../../src/config/sources.ts'
import { openLines } from '../../src/discovery/kubernetes/api-server.ts'
import { readSlices, sliceSchema } from '../../src/discovery/kubernetes/slices.ts'
import { openKubernetes } from '../../src/discovery/kubernetes.ts'
import type { Listing } from '../../src/discovery/source.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ApiServer } from '../support/kubernetes/api-server.ts'
import { untilTrue } from '../support/lab/until.ts'

const endpoint = (pod: string, address: string, conditions?: object, nodeName = 'node-1') => ({
  addresses: [address],
  ...(conditions === undefined ? {} : { conditions }),
  nodeName,
  targetRef: { kind: 'Pod', namespace: 'shop', name: pod, uid: pod },
})

const slice = (
  name: string,
  endpoints: readonly object[] | null,
  ports: unknown = [{ name: 'http', port: 8080 }],
) => ({
  metadata: { name, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints,
  ports,
})

const ANY = { node: undefined, port: undefined }

const read = (slices: readonly object[], filter: Partial<Parameters<typeof readSlices>[1]> = {}) =>
  show(
    readSlices(
      slices.map((one) => sliceSchema.parse(one)),
      { ...ANY, ...filter },
    ),
  )

const show = ({ items, problems }: Listing): string[] => [
  ...items.map(({ name, address, address6, port, state }) =>
    [name, address && formatAddress(address), address6 && formatAddress(address6), port, state]
      .filter((part) => part !== undefined)
      .join(' '),
  ),
  ...problems,
]

/** ready, serving, terminating → state; `-`: not set, which the API says to take as true, as ready, and as false. */
const CONDITIONS = [
  ['- - -', 'ready'],
  ['true - -', 'ready'],
  ['true true false', 'ready'],
  ['false - -', 'down'],
  ['false false false', 'down'],
  ['false true true', 'draining'],
  ['false false true', 'down'],
  ['- - true', 'draining'],
  ['true true true', 'draining'],
] as const

for (const [text, state] of CONDITIONS)
  test(`conditions ready, serving, terminating ${text}: ${state}`, () => {
    const [ready, serving, terminating] = text
      .split(' ')
      .map((word) => (word === '-' ? null : word === 'true'))
    const conditions = { ready, serving, terminating }
    assert.deepEqual(read([slice('web-a', [endpoint('web-1', '10.1.0.1', conditions)])]), [
      `shop/web-1 10.1.0.1 ${state}`,
    ])
  })

test('a pod with a slice for each family is one container; in two slices of one family, the better state counts', () => {
  const four = slice('web-4', [
    endpoint('web-1', '10.1.0.1'),
    endpoint('web-2', '10.1.0.2', { ready: false }),
  ])
  const six = slice('web-6', [endpoint('web-1', 'fd00::1')])
  const moved = slice('web-5', [endpoint('web-2', '10.1.0.2', { ready: true })])
  assert.deepEqual(read([four, six, moved]), [
    'shop/web-1 10.1.0.1 fd00::1 ready',
    'shop/web-2 10.1.0.2 ready',
  ])
})

test('only the endpoints of one node, when asked', () => {
  const both = slice('web-a', [endpoint('web-1', '10.1.0.1'), endpoint('web-2', '10.1.1.2', {}, 'node-2')])
  assert.deepEqual(read([both], { node: 'node-2' }), ['shop/web-2 10.1.1.2 ready'])
})

test('a port by its name may differ from slice to slice; a slice without it is a problem', () => {
  const slices = [
    slice('web-a', [endpoint('web-1', '10.1.0.1')]),
    slice('web-b', [endpoint('web-2', '10.1.0.2')], [{ name: 'http', port: 9090 }]),
    slice('web-c', [endpoint('web-3', '10.1.0.3')], null),
  ]
  assert.deepEqual(read(slices, { port: 'http' }), [
    'shop/web-1 10.1.0.1 8080 ready',
    'shop/web-2 10.1.0.2 9090 ready',
    'EndpointSlice "web-c": no port named "http"',
  ])
  assert.deepEqual(read(slices.slice(0, 1), { port: 81 }), ['shop/web-1 10.1.0.1 81 ready'])
})

test('what is no address of a container is left out and said; an endpoint without a pod goes by its address', () => {
  const odd = [
    { addresses: ['192.0.2.7'] },
    { addresses: ['www.example.com'] },
    { addresses: [] },
    { addresses: ['127.0.0.1'] },
    { addresses: ['10.1.0.9'], targetRef: { kind: 'Pod', namespace: 'shop', name: 'a\nb' } },
  ]
  const [first, ...problems] = read([slice('web-a', odd), slice('empty', null)])
  assert.equal(first, '192.0.2.7 192.0.2.7 ready')
  assert.equal(problems.length, 4)
  assert.ok(
    problems.every(
      (problem) => /^EndpointSlice "web-a": endpoint ".*"/.test(problem) && !problem.includes('\n'),
    ),
  )
})

const certificate = makeCertificate()

/** A server, a source that reads it, and what the source has told: the newest list, or the failure after it. */
async function open(t: TestContext, settings: Partial<KubernetesConfig> = {}) {
  const server = await ApiServer.start(certificate)
  t.after(() => server.close())
  const folder = mkdtempSync(join(tmpdir(), 'onehop-kube-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const kubeconfig = join(folder, 'config')
  const writeToken = (token: string, cert = certificate.cert) =>
    writeFileSync(kubeconfig, kubeconfigText(`https://127.0.0.1:${server.port}`, token, cert))
  writeToken('token-1')
  const told: { lists: string[][]; failures: string[]; isFailing: boolean } = {
    lists: [],
    failures: [],
    isFailing: false,
  }
  const start = () => {
    const source = openKubernetes(
      {
        service: 'web',
        namespace: undefined,
        port: undefined,
        node: undefined,
        kubeconfig,
        context: undefined,
        ...settings,
      },
      {
        list: (listing) => {
          told.lists.push(show(listing))
          told.isFailing = false
        },
        fail: (message) => {
          told.failures.push(message)
          told.isFailing = true
        },
      },
    )
    t.after(() => source.close())
    return source
  }
  const untilList = (...expected: string[]) =>
    untilTrue(
      () => !told.isFailing && told.lists.at(-1)?.join() === expected.join(),
      expected.join() || 'nobody',
    )
  const untilFailure = (pattern: RegExp) =>
    untilTrue(() => told.isFailing && pattern.test(told.failures.at(-1)!), String(pattern))
  const lists = () => server.requests.filter(({ searchParams }) => !searchParams.has('watch'))
  return { server, told, start, untilList, untilFailure, writeToken, lists }
}

const kubeconfigText = (server: string, token: string, ca: string): string => `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "${server}", certificate-authority-data: ${Buffer.from(ca).toString('base64')}}}]
users: [{name: u, user: {token: ${token}}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]
current-context: x
`

const web = (n: number, conditions?: object) => endpoint(`web-${n}`, `10.1.0.${n}`, conditions)

test('lists in pages, then follows what is added, changed and deleted', async (t) => {
  const { server, start, untilList, lists } = await open(t)
  for (let i = 0; i < 501; i++) server.put(slice(`empty-${i}`, null))
  server.put(slice('web-a', [web(1)]))
  server.put({
    metadata: { name: 'other', labels: { 'kubernetes.io/service-name': 'other' } },
    endpoints: [web(9)],
  })
  start()
  await untilList('shop/web-1 10.1.0.1 ready')
  assert.deepEqual(
    lists().map(({ searchParams }) => [searchParams.get('limit'), searchParams.get('continue')]),
    [
      ['500', null],
      ['500', '500'],
    ],
  )
  await untilTrue(() => server.watches === 1, 'a watch')
  server.put(slice('web-a', [web(1, { ready: false }), web(2)]))
  await untilList('shop/web-1 10.1.0.1 down', 'shop/web-2 10.1.0.2 ready')
  server.put(slice('web-b', [web(3)]))
  await untilList('shop/web-1 10.1.0.1 down', 'shop/web-2 10.1.0.2 ready', 'shop/web-3 10.1.0.3 ready')
  server.remove('web-a')
  await untilList('shop/web-3 10.1.0.3 ready')
  assert.equal(server.requests.length, 3)
})

for (const isOrderly of [true, false])
  test(`a watch that ends ${isOrderly ? 'in order' : 'by a reset'} goes on from where it was, without a new list`, async (t) => {
    const { server, start, untilList, lists, told } = await open(t)
    server.put(slice('web-a', [web(1)]))
    start()
    await untilTrue(() => server.watches === 1, 'a watch')
    server.drop(isOrderly)
    server.put(slice('web-a', [web(2)]))
    await untilList('shop/web-2 10.1.0.2 ready')
    assert.equal(lists().length, 1)
    if (!isOrderly) assert.match(told.failures[0]!, /^https:\/\/127\.0\.0\.1:/)
  })

test('a bookmark moves the version on, so that a compaction meanwhile costs no new list', async (t) => {
  const { server, start, untilList, lists } = await open(t)
  server.put(slice('web-a', [web(1)]))
  start()
  await untilTrue(() => server.watches === 1, 'a watch')
  assert.equal(server.requests.at(-1)?.searchParams.get('allowWatchBookmarks'), 'true')
  server.bookmark()
  // What follows the bookmark on the same stream has been read after it.
  server.put(slice('web-a', [web(2)]))
  await untilList('shop/web-2 10.1.0.2 ready')
  server.bookmark()
  server.put({ ...slice('web-b', [web(3)]) })
  await untilList('shop/web-2 10.1.0.2 ready', 'shop/web-3 10.1.0.3 ready')
  server.compact()
  server.drop(false)
  server.put(slice('web-a', [web(4)]))
  await untilList('shop/web-4 10.1.0.4 ready', 'shop/web-3 10.1.0.3 ready')
  assert.equal(lists().length, 1)
})

for (const isEvent of [true, false])
  test(`410 Gone ${isEvent ? 'as an event' : 'as a status'}: everything is read anew, and what was deleted meanwhile is gone`, async (t) => {
    const { server, start, untilList, lists } = await open(t)
    server.isGoneAnEvent = isEvent
    server.put(slice('web-a', [web(1)]))
    server.put(slice('web-b', [web(2)]))
    start()
    await untilTrue(() => server.watches === 1, 'a watch')
    server.drop(true)
    server.remove('web-a')
    server.put(slice('web-c', [web(3)]))
    server.compact()
    await untilList('shop/web-2 10.1.0.2 ready', 'shop/web-3 10.1.0.3 ready')
    assert.equal(lists().length, 2)
  })

test('an event that comes byte by byte is one event, whole, with what is not ASCII in it', async (t) => {
  const { server, start, untilList, told } = await open(t)
  start()
  await untilTrue(() => server.watches === 1, 'a watch')
  server.chunkBytes = 1
  server.put({ ...slice('web-a', [web(1)]), note: 'größer' })
  await untilList('shop/web-1 10.1.0.1 ready')
  assert.deepEqual(new Set(told.lists.map(String)), new Set(['', 'shop/web-1 10.1.0.1 ready']))
})

test('a token that was rotated: refused, said, and read anew; the last list holds meanwhile', async (t) => {
  const { server, start, untilList, untilFailure, writeToken, told } = await open(t)
  server.put(slice('web-a', [web(1)]))
  start()
  await untilList('shop/web-1 10.1.0.1 ready')
  server.token = 'token-2'
  server.drop(false)
  await untilFailure(/HTTP status 401: Unauthorized$/)
  assert.equal(told.lists.at(-1)?.join(), 'shop/web-1 10.1.0.1 ready')
  writeToken('token-2')
  await untilList('shop/web-1 10.1.0.1 ready')
})

test('what the server says instead is told with its place: forbidden, not JSON, of another kind, nobody there', async (t) => {
  const { server, start, untilList, untilFailure, writeToken } = await open(t)
  server.put(slice('web-a', [web(1)]))
  server.broken = { status: 403, body: JSON.stringify({ message: 'cannot list\nendpointslices' }) }
  start()
  await untilFailure(/endpointslices\?.*: HTTP status 403: cannot list\\nendpointslices$/)
  server.broken = { status: 200, body: '<html>' }
  await untilFailure(/endpointslices\?.*"<html>"$/)
  server.broken = { status: 200, body: '{"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {}}]}' }
  await untilFailure(/items\.0\.metadata\.name: /)
  server.broken = undefined
  await untilList('shop/web-1 10.1.0.1 ready')
  await untilTrue(() => server.watches === 1, 'a watch')
  writeToken('token-1', makeCertificate().cert)
  server.drop(false)
  await untilFailure(/^https:\/\/127\.0\.0\.1:\d+: DEPTH_ZERO_SELF_SIGNED_CERT/)
  server.close()
  await untilFailure(/^https:\/\/127\.0\.0\.1:\d+: ECONNREFUSED/)
})

test('a kubeconfig that is missing, or has not the context, is said', async (t) => {
  const missing = await open(t, { kubeconfig: '/nonexistent/kubeconfig' })
  missing.start()
  await missing.untilFailure(/ENOENT.*\/nonexistent\/kubeconfig/)
  const other = await open(t, { context: 'y' })
  other.start()
  await other.untilFailure(/no cluster for context y$/)
})

test('closed, it tells nothing more and its watch is gone', async (t) => {
  const { server, start, untilList, told } = await open(t)
  server.put(slice('web-a', [web(1)]))
  const source = start()
  await untilList('shop/web-1 10.1.0.1 ready')
  await untilTrue(() => server.watches === 1, 'a watch')
  const before = told.lists.length
  source.close()
  server.put(slice('web-a', [web(2)]))
  await untilTrue(() => server.watches === 0, 'no watch')
  assert.deepEqual([told.lists.length, told.failures], [before, []])
})

test('a server that falls silent is given up, one line may not be endless', async (t) => {
  const server = createServer((request, answer) => {
    answer.writeHead(200).flushHeaders()
    if (request.url === '/endless') for (let i = 0; i < 9; i++) answer.write('x'.repeat(1024 * 1024))
  })
  server.listen(0, '127.0.0.1')
  await untilTrue(() => server.address() !== null, 'listening')
  t.after(() => server.close().closeAllConnections())
  const { port } = server.address() as { port: number }
  const access = { server: `http://127.0.0.1:${port}`, namespace: 'shop', options: async () => ({}) }
  const linesOf = async (path: string) => {
    const lines = await openLines(access, path, z.unknown(), new AbortController().signal, 100)
    for await (const line of lines) assert.fail(String(line))
  }
  await assert.rejects(linesOf('/silent'), /\/silent: silent for 0\.1 s$/)
  await assert.rejects(linesOf('/endless'), /\/endless: a line longer than 8388608 bytes$/)
})

test('`local` is the node that the downward API names, or the host', async (t) => {
  const { server, start, untilList } = await open(t, { node: 'local' })
  server.put(slice('web-a', [web(1), endpoint('web-2', '10.1.0.2', {}, hostname())]))
  start()
  await untilList('shop/web-2 10.1.0.2 ready')
})

const errorOf = (settings: string, ports = '80/tcp') => {
  const text = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [192.0.2.1], ports: [${ports}], containers: {kubernetes: ${settings}}}`
  try {
    parseConfig(text, 'c.yaml')
  } catch (error) {
    return (error as Error).message.replace(/^c\.yaml:[0-9:]+ services\[0\]\.containers\.kubernetes/, '')
  }
}

test('what is wrong in the settings is said with its place and what was expected', () => {
  assert.equal(
    errorOf('{service: web, namespace: shop, port: http, node: local, kubeconfig: /etc/k, context: a b}'),
    undefined,
  )
  assert.equal(errorOf('{service: web, port: 8080}'), undefined)
  assert.match(errorOf('{}')!, /^\.service: missing; expected a name of lower-case letters/)
  assert.match(errorOf('{service: Web}')!, /^\.service: "Web"; expected a name of lower-case letters/)
  assert.match(errorOf('{service: web, port: "80"}')!, /^\.port: "80"; expected a port, or the name of one/)
  assert.match(
    errorOf('{service: web, port: 70000}')!,
    /^\.port: 70000; expected a whole number from 1 to 65535/,
  )
  assert.match(errorOf('{service: web, kubeconfig: k}')!, /^\.kubeconfig: "k"; expected an absolute path/)
  assert.match(
    errorOf('{service: web, port: http}', '80/tcp, 81/tcp')!,
    /^\.port: http: which port it stands for/,
  )
})
