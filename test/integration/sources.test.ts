/** Who a service lets in, on real traffic: a hundred thousand denied prefixes, with the fast path and without. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Agent } from '../support/lab/agent.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { type Lab, PUBLIC, PUBLIC6, withLab } from '../support/lab.ts'

const PREFIXES = 100_000

/** 10.0.0.0/8 and 2001:db8:8000::/33 by single addresses: nobody of the lab. */
const OTHERS = Array.from({ length: PREFIXES / 2 }, (_, i) => [
  `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
  `2001:db8:8000::${i.toString(16)}`,
]).flat()

const connect = (agent: Agent, address: string, from: string): Promise<string> =>
  agent.connect(address, 80, { from, timeoutMs: 400 })

/** Resolves when what the file and `denied` say is in force, to how long that took, in milliseconds. */
async function reload(
  lab: Lab,
  daemon: Daemon,
  mode: string,
  denied: 'drop' | 'reject',
  clients: readonly string[],
) {
  const count = () => daemon.log.filter(({ msg }) => msg === 'reloaded').length
  const before = count()
  write(lab, daemon, mode, denied, clients)
  const start = performance.now()
  daemon.running.signal('SIGHUP')
  await daemon.running.until(() => count() > before, 'reloaded', 60_000)
  return performance.now() - start
}

function write(
  lab: Lab,
  daemon: Daemon,
  mode: string,
  denied: 'drop' | 'reject',
  clients: readonly string[],
): void {
  writeFileSync(join(dirname(daemon.configFile), 'denied.txt'), [...OTHERS, ...clients, ''].join('\n'))
  daemon.writeConfig(configOf(lab, mode, { denyFrom: 'denied.txt', denied }))
}

function configOf(lab: Lab, fastpath: string, sources: object) {
  const config = lab.config()
  return { ...config, dataplane: { fastpath }, services: [{ ...config.services[0]!, sources }] }
}

for (const mode of ['require', 'off'])
  test(`fast path ${mode}: of ${PREFIXES} denied prefixes one that is added keeps its client out from the reload on`, () =>
    withLab({}, async (lab) => {
      const daemon = await lab.startDaemon({ config: { ...lab.config(), dataplane: { fastpath: mode } } })
      const agent = await lab.client.agent()
      for (const [i, { client, service, url }] of FAMILIES.entries()) {
        const [one, other] = [client(1), client(2)]
        const { container } = await agent.who(`${url}/`, { from: one })
        for (let n = 0; n < 20; n++) await agent.get(`${url}/`, { from: one })
        const tookMs = await reload(lab, daemon, mode, 'drop', [one])
        console.error(`reload with ${PREFIXES} denied prefixes: ${Math.round(tookMs)} ms`)
        assert.equal(await connect(agent, service, one), 'ETIMEDOUT')
        assert.equal(await connect(agent, service, other), 'open')
        await reload(lab, daemon, mode, 'reject', [one])
        assert.equal(await connect(agent, service, one), 'ECONNREFUSED')
        await reload(lab, daemon, mode, 'drop', [])
        assert.equal((await agent.who(`${url}/`, { from: one })).container, container)
        const { code, stdout } = await daemon.ask('drops', '--reason', 'denied')
        assert.equal(code, 0)
        assert.match(stdout, new RegExp([PUBLIC, PUBLIC6][i]!))
      }
      await daemon.stop()
    }))

test('an allow list lets in whom it covers, and explain names the prefix', () =>
  withLab({}, async (lab) => {
    const [{ client }] = FAMILIES as [(typeof FAMILIES)[number]]
    const daemon = await lab.startDaemon({
      config: configOf(lab, 'auto', { allow: ['198.19.0.0/25', '2001:db8:19::/64'], deny: [client(3)] }),
    })
    const agent = await lab.client.agent()
    for (const family of FAMILIES)
      assert.equal((await agent.get(`${family.url}/`, { from: family.client(1) })).status, 200)
    const wanted = [
      [client(1), /198\.19\.0\.0\/25 is allowed/],
      [client(3), /is denied: 198\.19\.0\.4 is on the service's deny list \(denied\)/],
      [client(200), /is denied: no prefix of the service's allow list covers it/],
    ] as const
    for (const [source, text] of wanted) {
      const { code, stdout, stderr } = await daemon.ask('explain', source)
      assert.equal(code, 0, stderr)
      assert.match(stdout, text)
    }
    for (const source of [client(3), client(200)])
      assert.equal(await connect(agent, PUBLIC, source), 'ETIMEDOUT')
    await daemon.stop()
  }))
