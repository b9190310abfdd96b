import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { makeCertificate } from '../support/certificate.ts'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Container, Lab } from '../support/lab.ts'

const CLIENTS = Array.from({ length: 40 }, (_, n) => n)
const ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount'
const PORT = 6443
const NODE = 'node-1'
const SERVER = join(import.meta.dirname, '..', 'support', 'kubernetes', 'api-server.ts')

const lab = await Lab.open()
after(() => lab.close())
const { key, cert } = makeCertificate()
const server = lab.host.start([
  process.execPath,
  '--import',
  import.meta.resolve('tsx'),
  SERVER,
  JSON.stringify({ key, cert, host: '127.0.0.1', port: PORT }),
])
await server.until(({ lines }) => lines.includes('ready'), 'an API server')

/** What a pod finds in its file system and environment. */
await lab.host.script(`
mount -t tmpfs tmpfs /run
mkdir -p ${ACCOUNT}
printf %s token-1 > ${ACCOUNT}/token
printf %s shop > ${ACCOUNT}/namespace
cat > ${ACCOUNT}/ca.crt <<END
${cert}END
`)
const wrapper = ['env', 'KUBERNETES_SERVICE_HOST=127.0.0.1', `KUBERNETES_SERVICE_PORT=${PORT}`]

async function call(name: string, ...given: readonly unknown[]): Promise<void> {
  const done = server.lines.length + 1
  server.child.stdin?.write(`${JSON.stringify({ call: name, with: given })}\n`)
  await server.until(({ lines }) => lines.length >= done, name)
}

interface Conditions {
  readonly ready: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}

/** The third container is on another node. */
const put = async (conditions: readonly Conditions[]) => {
  for (const [family, addressOf] of [
    ['IPv4', ({ address }: Container) => address],
    ['IPv6', ({ address6 }: Container) => address6],
  ] as const)
    await call('put', {
      metadata: { name: `web-${family}`, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: family,
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: lab.containers.map((container, i) => ({
        addresses: [addressOf(container)],
        conditions: conditions[i],
        nodeName: i === 2 ? 'node-2' : NODE,
        targetRef: { kind: 'Pod', namespace: 'shop', name: container.name },
      })),
    })
}

const READY: Conditions = { ready: true, serving: true, terminating: false }
await put([READY, READY, READY])

const config = lab.config()
const [web] = config.services
const daemon = await lab.startDaemon({
  wrapper,
  config: {
    ...config,
    services: [
      { ...web, ports: ['80/tcp'], containers: { kubernetes: { service: 'web', port: 'http', node: NODE } } },
    ],
  },
})
after(() => daemon.stop())
const agent = await lab.client.agent()

const visit = async (family: (typeof FAMILIES)[number], clients: readonly number[] = CLIENTS) => {
  const served = await Promise.all(
    clients.map((n) => agent.who(`${family.url}/`, { from: family.client(n) })),
  )
  return served.map(({ container }) => container)
}
const states = async () =>
  (await daemon.status<Status>()).containers.map(({ name, state }) => `${name} ${state}`).join()
const untilStates = (expected: string) => untilTrue(async () => (await states()) === expected, expected)

test('the pods of this node serve the Service over both families, by the port that it names', async () => {
  await untilStates('shop/c1 ready,shop/c2 ready')
  for (const family of FAMILIES) assert.deepEqual(new Set(await visit(family)), new Set(['c1', 'c2']))
})

test('a pod that ends keeps its clients while it serves, then others answer them', async () => {
  const family = FAMILIES[0]!
  const before = await visit(family)
  await put([{ ready: false, serving: true, terminating: true }, READY, READY])
  await untilStates('shop/c1 draining,shop/c2 ready')
  assert.deepEqual(await visit(family), before)
  const newcomers = CLIENTS.map((n) => n + 1_000)
  assert.deepEqual(new Set(await visit(family, newcomers)), new Set(['c2']))

  await put([{ ready: false, serving: false, terminating: true }, READY, READY])
  await untilStates('shop/c1 down,shop/c2 ready')
  assert.deepEqual(new Set(await visit(family)), new Set(['c2']))
})

test('without the API server the last list holds, and the status says why', async () => {
  server.kill()
  const source = async () => (await daemon.status<Status>()).sources[0]!
  await untilTrue(
    async () => /127\.0\.0\.1:6443/.test(JSON.stringify(await source())),
    'a failure in the status',
  )
  for (const family of FAMILIES) assert.deepEqual(new Set(await visit(family)), new Set(['c2']))
})
