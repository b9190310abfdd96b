import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach } from 'node:test'
import type { Api } from '../../src/api/api.ts'
import { Places } from '../../src/config/places.ts'
import { ContainerList } from '../../src/containers/container-list.ts'
import { serveSource } from '../support/api.ts'
import { onehop } from '../support/cli.ts'
import { EXAMPLE, exampleStatus } from '../support/example-status.ts'

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
  const list = new ContainerList(() => {})
  const places = new Places()
  places.follow(EXAMPLE.services)
  api = await serveSource(path, {
    status: exampleStatus,
    containers: {
      list: (names) =>
        [...list.standings(EXAMPLE)].filter(({ container }) => names?.includes(container) ?? true),
      drain: (names, deadlineMs) => list.drain(places, names, deadlineMs),
      undrain: (names) => list.undrain(places, names),
      weigh: (names, weight) => list.weigh(places, names, weight),
    },
  })
}

const containers = (...argv: readonly string[]) => onehop('containers', ...argv, '--socket', path, '--json')

test('names what was counted, by service and by container', () => {
  const { verdicts, services, containers, routes } = exampleStatus()
  assert.equal(routes, 'made')
  assert.deepEqual(verdicts, [{ verdict: 'forward', reason: 'known', packets: 3, bytes: 180 }])
  assert.deepEqual(services[0], {
    name: 'web',
    addresses: ['203.0.113.10', '2001:db8:53::10'],
    ports: ['80/tcp->8080', '53/udp'],
    containers: ['a'],
    entries: 40,
    quota: 50,
    in: { packets: 3, bytes: 180 },
    out: { packets: 0, bytes: 0 },
  })
  assert.deepEqual(services[1]!.in, { packets: 0, bytes: 0 })
  assert.deepEqual(services[1]!.ports, ['all'])
  assert.deepEqual(
    containers.map(({ name, addresses, state }) => ({ name, addresses, state })),
    [{ name: 'a', addresses: ['10.0.0.1', 'fd00::1'], state: 'draining' }],
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

test('onehop containers changes the list and shows it in all services', async () => {
  await serve()
  const standing = { container: 'a', weight: 1 }
  const config = { ...standing, state: 'ready', reason: 'config' }
  const drained = { ...standing, state: 'draining', reason: 'operator', sinceSeconds: 0 }
  const both = (expected: object) => ['web', 'all'].map((service) => ({ service, ...expected }))
  const steps: [argv: string[], expected: object][] = [
    [['list'], config],
    [['drain', 'a'], drained],
    [['undrain', 'a'], config],
    [['weight', 'a', '0'], { ...config, weight: 0, reason: 'operator' }],
  ]
  for (const [argv, expected] of steps) {
    const { code, stdout, stderr } = await containers(...argv)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.deepEqual(JSON.parse(stdout), both(expected))
  }
})

test('onehop containers says what it was asked wrongly', async () => {
  await serve()
  const wrong: [argv: string[], message: RegExp][] = [
    [['drain', 'b'], /"b" is no container/],
    [['drain', 'a', '--deadline', 'soon'], /--deadline "soon"; expected a time/],
    [
      ['drain', 'a', '--deadline', '8d'],
      /deadlineMs: 691200000; expected a time in milliseconds from 1000 \(1s\) to 604800000 \(7d\)/,
    ],
    [['weight', 'a', '257'], /weight: 257; expected a whole number from 0 to 256/],
    [['weight', 'a', 'x'], /weight "x"; expected a whole number/],
  ]
  for (const [argv, message] of wrong) {
    const { code, stderr } = await containers(...argv)
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
  assert.equal(JSON.parse((await containers('list')).stdout)[0].reason, 'config')
})
