import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import { type Api, serveApi } from '../../src/api/api.ts'
import { buildStatus } from '../../src/api/status.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { codeOf } from '../../src/pipeline/outcome.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { onehop } from '../support/cli.ts'

const CONFIG = parseConfig(
  `version: 1
interfaces: {tun: t0, bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10, "2001:db8:53::10"], ports: [80/tcp->8080, 53/udp], containers: [{name: a, address: 10.0.0.1, address6: "fd00::1"}]}
  - {name: all, addresses: [203.0.113.11], ports: all, containers: [{name: a, address: 10.0.0.1, address6: "fd00::1"}]}
`,
  'c.yaml',
)

function exampleStatus() {
  const identities = new Identities()
  const [web, a] = [identities.service('web'), identities.container('a')]
  const known = codeOf('forward', 'known')
  const traffic = { packets: 3, bytes: 180 }
  const none = { packets: 0, bytes: 0 }
  return buildStatus({
    version: '0.1.0',
    pid: 7,
    upSeconds: 60,
    routes: true,
    config: CONFIG,
    identities,
    counters: {
      received: traffic,
      reasons: REASONS.map((_, code) => (code === known ? traffic : none)),
      services: new Map([[web, { in: traffic, out: none }]]),
      containers: new Map([[a, { in: traffic, out: none }]]),
      table: { entries: 1, capacity: 10, probation: 1, moved: 0, full: 0, expired: 0 },
    },
    io: {
      tunReadErrors: 0,
      tunWriteErrors: 0,
      bridgeWrites: 3,
      bridgeWriteErrors: 0,
      tunWrites: 0,
      neighboursResolved: 1,
      neighboursWanted: 2,
      queues: 1,
      offload: ['tso4'],
    },
  })
}

let folder = ''
let path = ''
let api: Api | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onehop-api-'))
  path = join(folder, 'run', 't0.sock')
})
afterEach(async () => {
  await api?.close()
  api = undefined
  rmSync(folder, { recursive: true })
})

const serve = async () => {
  api = await serveApi(path, { status: exampleStatus })
}

test('names what was counted, by service and by container', () => {
  const { verdicts, services, containers, routes } = exampleStatus()
  assert.equal(routes, 'made')
  assert.deepEqual(verdicts, [{ verdict: 'forward', reason: 'known', packets: 3, bytes: 180 }])
  assert.deepEqual(services[0], {
    name: 'web',
    addresses: ['203.0.113.10', '2001:db8:53::10'],
    ports: ['80/tcp->8080', '53/udp'],
    containers: ['a'],
    in: { packets: 3, bytes: 180 },
    out: { packets: 0, bytes: 0 },
  })
  assert.deepEqual(services[1]!.in, { packets: 0, bytes: 0 })
  assert.deepEqual(services[1]!.ports, ['all'])
  assert.deepEqual(
    containers.map(({ name, addresses, state }) => ({ name, addresses, state })),
    [{ name: 'a', addresses: ['10.0.0.1', 'fd00::1'], state: 'ready' }],
  )
})

test('answers onehop status on a socket for owner and group', async () => {
  await serve()
  assert.equal(statSync(path).mode & 0o777, 0o660)
  const { code, stdout, stderr } = await onehop('status', '--socket', path, '--json')
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(exampleStatus())))
})

/** Killed while it listens: the socket file stays. */
const DYING =
  'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'

test('takes the place of a socket that a dead daemon left', async () => {
  path = join(folder, 't0.sock')
  spawnSync(process.execPath, ['-e', DYING, path])
  assert.equal(statSync(path).isSocket(), true)
  await serve()
  assert.equal((await onehop('status', '--socket', path)).code, 0)
})

test('leaves a file that is no socket alone', async () => {
  path = join(folder, 'precious')
  writeFileSync(path, 'precious')
  await assert.rejects(serve(), { code: 'E_SYSTEM', message: /precious: something that is no socket/ })
  assert.equal(readFileSync(path, 'utf8'), 'precious')
})

test('says where it cannot listen', async () => {
  writeFileSync(join(folder, 'file'), '')
  path = join(folder, 'file', 't0.sock')
  await assert.rejects(serve(), { code: 'E_SYSTEM', message: /file\/t0\.sock: mkdir: (EEXIST|ENOTDIR)$/ })
})
