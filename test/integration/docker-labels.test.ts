import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { Docker } from '../support/docker/docker.ts'
import { untilTrue } from '../support/lab/until.ts'
import { clientAddress, Lab, PUBLIC, PUBLIC6 } from '../support/lab.ts'

const OTHER = '203.0.113.11'
/** The host's own on the uplink. */
const TAKEN = '198.18.0.1'

const lab = await Lab.open({ containers: 0 })
after(() => lab.close())
await lab.host.setSysctl('net/ipv4/ip_forward', 0)
const docker = await Docker.open(lab.host)
after(() => docker.close())
// Not even a bridge or an uplink is named.
const daemon = await lab.startDaemon({ flags: ['--docker', docker.socket] })
after(() => daemon.stop())
const agent = await lab.client.agent()

const status = () => daemon.status<Status>()
const serviceNames = async () => (await status()).services.map(({ name }) => name).sort()
const untilServices = (...names: readonly string[]) =>
  untilTrue(async () => JSON.stringify(await serviceNames()) === JSON.stringify(names), `services ${names}`)
const untilReady = (name: string) =>
  untilTrue(
    async () => (await status()).containers.some((one) => one.name === name && one.state === 'ready'),
    `${name} is ready`,
  )
const routes = async () => await lab.host.run(['sh', '-c', 'ip route; ip -6 route'])
const served = async (address: string, n = 1) =>
  (await agent.who(`http://${address}/`, { from: clientAddress(n) })).container

test('nothing is labelled: nothing is served, and the daemon waits', async () => {
  await docker.start('bystander')
  assert.deepEqual(await serviceNames(), [])
  assert.ok(!(await routes()).includes('onehop0 proto 111'))
})

test('a labelled container is a service: routed, over both families', async () => {
  const labels = {
    'onehop.address': `${PUBLIC},${PUBLIC6}`,
    'onehop.port': '80/tcp->8080',
    'onehop.service': 'web',
  }
  await docker.start('web-1', { labels })
  await untilReady('web-1')
  assert.equal(await served(PUBLIC), 'web-1')
  assert.equal((await agent.who(`http://[${PUBLIC6}]/`)).container, 'web-1')
  await docker.start('web-2', { labels: { ...labels, 'onehop.weight': '2' } })
  await untilReady('web-2')
  const names = await Promise.all(Array.from({ length: 30 }, (_, n) => served(PUBLIC, n + 10)))
  assert.deepEqual([...new Set(names)].sort(), ['web-1', 'web-2'])
})

test("wrong labels, and an address that is the host's: named in log and status; all others go on", async () => {
  await docker.start('wrong', { labels: { 'onehop.address': '203.0.113.12', 'onehop.port': '80/tpc' } })
  await docker.start('taken', { labels: { 'onehop.address': TAKEN, 'onehop.port': '8080/tcp' } })
  await docker.start('api', { labels: { 'onehop.address': OTHER, 'onehop.port': '80/tcp->8080' } })
  await untilReady('api')
  assert.equal(await served(OTHER), 'api')
  await untilServices('api', 'web')
  const { problems } = await status()
  const expected = [
    /^container "wrong": label onehop\.port: "80\/tpc"; expected PORT\/tcp/,
    /^service "taken": public address 198\.18\.0\.1 is assigned to up0 of this host; expected one that no/,
  ]
  for (const problem of expected) {
    assert.ok(
      problems.some((one) => problem.test(one)),
      `${problem} in ${problems}`,
    )
    assert.ok(
      daemon.log.some((record) => problem.test(String(record.problem))),
      `${problem} in the log`,
    )
  }
  assert.equal(problems.length, 2)
})

test('services vanish with their containers, routes and all; others stay', async () => {
  await docker.run('rm', '--force', 'web-1', 'web-2', 'wrong')
  await untilServices('api')
  await untilTrue(async () => !(await routes()).includes(PUBLIC), 'no route')
  assert.ok((await routes()).includes(`${OTHER} dev onehop0`))
  assert.equal(await served(OTHER), 'api')
})

test('Docker is not touched, and at the end nothing is left of ours', async () => {
  assert.equal(await docker.run('inspect', '--format', '{{.State.Running}}', 'bystander'), 'true')
  await daemon.stop()
  assert.ok(!(await lab.host.run(['nft', 'list', 'ruleset'])).includes('onehop'))
  assert.ok(!(await routes()).includes('onehop0'))
})
