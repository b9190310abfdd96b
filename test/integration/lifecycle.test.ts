import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, PUBLIC, PUBLIC6, withLab } from '../support/lab.ts'

const STOP_MS = 1_000
const OTHER = '203.0.113.11'

/** A lab for each test: what one leaves behind must not disturb the next. */
const inLab = (use: (lab: Lab, agent: Agent, clean: string) => Promise<void>) => () =>
  withLab({}, async (lab) => use(lab, await lab.client.agent(), await hostState(lab.host)))

/** Which containers answer a few dozen clients. */
async function servingContainers(agent: Agent, url: string): Promise<string[]> {
  const names = new Set<string>()
  for (let n = 0; n < 30; n++)
    names.add((await agent.who(url, { from: FAMILIES[0]!.client(100 + n) })).container)
  return [...names].sort()
}

async function assertServes(agent: Agent): Promise<void> {
  for (const { url, service, client } of FAMILIES) {
    assert.equal((await agent.get(`${url}/`, { from: client(50) })).status, 200)
    assert.equal((await agent.udp(service, 53, 'x', { from: client(50) })).payload, 'x')
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(
    `${signal} stops it within a second, in the middle of a transfer, and leaves nothing behind`,
    inLab(async (lab, agent, clean) => {
      const daemon = await lab.startDaemon()
      const transfer = agent.download(`${FAMILIES[0]!.url}/bytes`, 1e12, {
        from: FAMILIES[0]!.client(1),
        timeoutMs: 1_000,
      })
      const cut = assert.rejects(transfer)
      await assertServes(agent)
      const start = performance.now()
      assert.deepEqual(await daemon.stop(signal), { code: 0, signal: null })
      const tookMs = performance.now() - start
      assert.ok(tookMs < STOP_MS, `took ${tookMs} ms`)
      assert.equal(await hostState(lab.host), clean)
      await cut
    }),
  )

test(
  'serves a service that flags describe',
  inLab(async (lab, agent, clean) => {
    const flags = ['--tun', 'onehop7', '--bridge', 'br0', '--uplink', 'up0']
    flags.push('--service', `${PUBLIC}:80/tcp->8080`, '--service', `[${PUBLIC6}]:80/tcp->8080`)
    for (const { name, address, address6 } of lab.containers)
      flags.push('--container', `${name}=${address}`, '--container', `${name}=${address6}`)
    const daemon = await lab.startDaemon({ flags })
    assert.deepEqual(await servingContainers(agent, `http://${PUBLIC}/`), ['c1', 'c2', 'c3'])
    assert.equal((await agent.get(`http://[${PUBLIC6}]/`)).status, 200)
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)

test(
  'SIGHUP adds a container and a service without a break for those served',
  inLab(async (lab, agent, clean) => {
    const [first, second, third] = lab.containers
    const config = lab.config([first!, second!])
    const daemon = await lab.startDaemon({ config })
    const kept = { from: FAMILIES[0]!.client(60), connection: 'across the reload' }
    const { localPort, body } = await agent.get(`http://${PUBLIC}/`, kept)
    assert.deepEqual(await servingContainers(agent, `http://${PUBLIC}/`), ['c1', 'c2'])

    const [web] = config.services
    const withThird = lab.config([first!, second!, third!]).services[0]!
    const other = { ...web!, name: 'other', addresses: [OTHER], ports: ['80/tcp->8080'] }
    daemon.writeConfig({ ...config, services: [withThird, other] })
    daemon.running.signal('SIGHUP')
    await untilTrue(
      async () => (await agent.connect(OTHER, 80, { timeoutMs: 200 })) === 'open',
      'the new service answers',
    )

    assert.deepEqual(await servingContainers(agent, `http://${OTHER}/`), ['c1', 'c2'])
    const names = new Set<string>()
    for (let n = 0; n < 30; n++)
      names.add((await agent.who(`http://${PUBLIC}/`, { from: FAMILIES[0]!.client(200 + n) })).container)
    assert.deepEqual([...names].sort(), ['c1', 'c2', 'c3'])
    const again = await agent.get(`http://${PUBLIC}/`, kept)
    assert.deepEqual(again, { status: 200, body, localPort })
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)

test(
  'SIGHUP takes a service away again',
  inLab(async (lab, agent, clean) => {
    const config = lab.config()
    const other = { ...config.services[0]!, name: 'other', addresses: [OTHER], ports: ['80/tcp->8080'] }
    const daemon = await lab.startDaemon({ config: { ...config, services: [...config.services, other] } })
    assert.equal(await agent.connect(OTHER, 80), 'open')
    daemon.writeConfig(config)
    daemon.running.signal('SIGHUP')
    await untilTrue(
      async () => (await agent.connect(OTHER, 80, { timeoutMs: 200 })) !== 'open',
      'the service is gone',
    )
    await assertServes(agent)
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)

test(
  'SIGHUP with an invalid config is refused with its place, and the old one keeps serving',
  inLab(async (lab, agent, clean) => {
    const daemon = await lab.startDaemon()
    for (const wrong of [
      'version: 1\nservices: {\n',
      JSON.stringify({ ...lab.config(), table: { capacity: -1 } }),
    ]) {
      const logged = daemon.log.length
      daemon.writeConfig(wrong)
      daemon.running.signal('SIGHUP')
      const isRefusal = (text: string) => text.includes(`${daemon.configFile}:`) && /:\d+:\d+/.test(text)
      await daemon.running.until(
        () =>
          daemon.log.slice(logged).some((record) => record.level >= 40 && isRefusal(JSON.stringify(record))),
        'a refusal in the log',
      )
      await assertServes(agent)
    }
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)

test(
  'after kill -9 it starts again, known connections live on, and stopping it leaves nothing behind',
  inLab(async (lab, agent, clean) => {
    const folder = lab.path('killed')
    const start = async (): Promise<Daemon> => {
      const daemon = lab.launchDaemon({ config: lab.config() }, folder)
      await daemon.untilReady()
      return daemon
    }
    const first = await start()
    await assertServes(agent)
    const kept = { from: FAMILIES[0]!.client(70), connection: 'across the kill' }
    const { localPort, body } = await agent.get(`http://${PUBLIC}/`, kept)
    assert.deepEqual(await first.stop('SIGKILL'), { code: null, signal: 'SIGKILL' })

    const second = await start()
    await assertServes(agent)
    assert.deepEqual(await agent.get(`http://${PUBLIC}/`, kept), { status: 200, body, localPort })
    await second.stop()
    assert.equal(await hostState(lab.host), clean)
  }),
)
