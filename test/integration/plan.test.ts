import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import test from 'node:test'
import type { Plan } from '../../src/plan/plan.ts'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

const CLIENTS = 30
const ALL = ['--json', '--top', '10000'] as const

async function asked(daemon: Daemon, code: number, ...argv: readonly [string, ...string[]]) {
  const answer = await daemon.ask(...argv)
  assert.equal(answer.code, code, `${argv.join(' ')}: ${answer.stderr}`)
  return answer
}

const planned = async (daemon: Daemon, ...argv: readonly [string, ...string[]]): Promise<Plan> =>
  JSON.parse((await asked(daemon, 0, ...argv, ...ALL)).stdout) as Plan

/** Who serves each client, by the client's address; asked by a request of its own. */
async function servedBy(lab: Lab): Promise<ReadonlyMap<string, string>> {
  const agent = await lab.client.agent()
  const served = new Map<string, string>()
  for (const { url, client } of FAMILIES)
    for (let n = 0; n < CLIENTS; n++)
      served.set(client(n), (await agent.who(`${url}/`, { from: client(n) })).container)
  return served
}

/** The clients that another container serves than before. */
const moved = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) =>
  [...before].flatMap(([client, from]) => {
    const to = after.get(client)!
    return from === to ? [] : [`${client} ${from}>${to}`]
  })

const foretold = ({ movers }: Plan) => movers.map(({ source, from, to }) => `${source} ${from}>${to}`)

/** Without the third container, and with clients pinned from the first to the second. */
function another(lab: Lab, served: ReadonlyMap<string, string>): string {
  const config = lab.config(lab.containers.slice(0, 2))
  const pinned = [...served].filter(([, container]) => container === 'c1').slice(0, 3)
  const pins = pinned.map(([source]) => ({ source, container: 'c2' }))
  const file = lab.path('new.yaml')
  writeFileSync(file, JSON.stringify({ ...config, services: [{ ...config.services[0], pins }] }))
  return file
}

test('who a plan says will move is served elsewhere after apply, and nobody else is', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    const before = await servedBy(lab)
    const file = another(lab, before)
    const plan = await planned(daemon, 'plan', file)
    assert.equal(plan.clients.known, 2 * CLIENTS)
    assert.equal(plan.clients.active, 2 * CLIENTS)
    assert.deepEqual(
      plan.changes.map(({ kind, change, name }) => [kind, change, name]),
      [['container', 'removed', 'c3'], ...plan.changes.slice(1).map(({ name }) => ['pin', 'added', name])],
    )
    assert.deepEqual([...new Set(plan.moves.map(({ why }) => why))].sort(), ['gone', 'pin'])
    assert.deepEqual(moved(before, await servedBy(lab)), [], 'a plan changes nothing')

    const { stdout, stderr } = await asked(daemon, 0, 'apply', file, ...ALL)
    assert.deepEqual(foretold(JSON.parse(stdout)).sort(), foretold(plan).sort())
    assert.match(stderr, /applied, until a reload or restart reads .*onehop\.yaml/)
    const after = await servedBy(lab)
    assert.deepEqual(foretold(plan).sort(), moved(before, after).sort())
    console.error(`${plan.clients.moved} of ${plan.clients.known} clients foretold to move, and moved`)
    const { config } = await daemon.status<{ config: object }>()
    assert.deepEqual(config, { from: 'applied', file: daemon.configFile })

    const back = await planned(daemon, 'plan', daemon.configFile)
    daemon.running.signal('SIGHUP')
    await daemon.untilLogged(({ msg }) => msg === 'reloaded', 'reloaded')
    assert.deepEqual(foretold(back).sort(), moved(after, await servedBy(lab)).sort())
    assert.equal((await daemon.status<{ config: { from: string } }>()).config.from, 'file')
    await daemon.stop()
  }))

test('a container that goes down does what what-if said, and offline says the same as the daemon', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    const before = await servedBy(lab)
    const live = await planned(daemon, 'what-if', '--down', 'c2')
    const file = lab.path('table.csv')
    writeFileSync(file, (await asked(daemon, 0, 'table', 'export')).stdout)
    const saved = ['--config', daemon.configFile, '--table', file] as const
    const offline = await planned(daemon, 'what-if', '--down', 'c2', ...saved)
    assert.deepEqual(foretold(offline).sort(), foretold(live).sort())
    assert.deepEqual([offline.containers, offline.moves], [live.containers, live.moves])
    const next = another(lab, before)
    const plans = [await planned(daemon, 'plan', next), await planned(daemon, 'plan', next, ...saved)]
    assert.deepEqual(foretold(plans[1]!).sort(), foretold(plans[0]!).sort())
    assert.deepEqual([plans[1]!.changes, plans[1]!.moves], [plans[0]!.changes, plans[0]!.moves])

    await asked(daemon, 0, 'containers', 'drain', 'c2', '--deadline', '1s')
    await untilTrue(async () => {
      const { containers } = await daemon.status<{ containers: { name: string; state: string }[] }>()
      return containers.some(({ name, state }) => name === 'c2' && state === 'down')
    }, 'c2 is down')
    assert.deepEqual(foretold(live).sort(), moved(before, await servedBy(lab)).sort())
    const up = await planned(daemon, 'what-if', '--up', 'c2')
    assert.equal(up.clients.moved, 0, 'who moved stays')
    await daemon.stop()
  }))

test('apply refuses more than may move, wrong files and what needs a restart, and nothing changes', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    const before = await servedBy(lab)
    const file = another(lab, before)
    const { clients } = await planned(daemon, 'plan', file)
    const limits = ['0', '1%', String(clients.moved - 1)]
    for (const limit of limits) {
      const { stderr } = await asked(daemon, 1, 'apply', file, '--max-moved', limit)
      assert.match(
        stderr,
        new RegExp(`${clients.moved} of 60 known clients .* more than --max-moved ${limit}`),
      )
      assert.match(stderr, /nothing was applied/)
      await asked(daemon, 1, 'plan', file, '--max-moved', limit)
    }
    await asked(daemon, 0, 'plan', file, '--max-moved', String(clients.moved))

    const wrong = lab.path('wrong.yaml')
    const refused = async (text: string, expected: RegExp) => {
      writeFileSync(wrong, text)
      for (const command of ['plan', 'apply'] as const)
        assert.match((await asked(daemon, 2, command, wrong)).stderr, expected)
    }
    await refused('version: 1\nservices: [\n', /wrong\.yaml:[0-9]+:[0-9]+: /)
    await refused('version: 1\ninterfaces: {bridges: [br0]}\nservices: [{name: 7}]\n', /wrong\.yaml:3:/)
    const config = lab.config()
    await refused(
      JSON.stringify({ ...config, table: { capacity: 10 } }),
      /table changed; expected as at the start/,
    )
    assert.match(
      (await asked(daemon, 2, 'apply', lab.path('none.yaml'))).stderr,
      /ENOENT.*expected a config file/,
    )
    assert.match((await asked(daemon, 2, 'apply', file, '--max-moved', '5%%')).stderr, /--max-moved "5%%"/)
    assert.match((await asked(daemon, 2, 'what-if', '--down', 'c9')).stderr, /"c9" is no container/)
    assert.match((await asked(daemon, 2, 'what-if')).stderr, /nothing is supposed/)

    // An address that the host itself has: the network refuses it.
    const services = [{ ...config.services[0], addresses: ['198.18.0.1'] }]
    writeFileSync(wrong, JSON.stringify({ ...config, services }))
    assert.match((await asked(daemon, 1, 'apply', wrong)).stderr, /198\.18\.0\.1 is assigned to up0/)
    assert.deepEqual(moved(before, await servedBy(lab)), [])
    assert.equal((await daemon.status<{ config: { from: string } }>()).config.from, 'file')
    await daemon.stop()
    assert.match((await asked(daemon, 1, 'apply', file)).stderr, /no daemon answers here/)
  }))

test('a reload that the host refuses moves no client that asks meanwhile', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon()
    const agent = await lab.client.agent()
    const { url, client } = FAMILIES[0]!
    const before = new Map<number, string>()
    const ask = async (n: number) => (await agent.who(`${url}/`, { from: client(n) })).container
    for (let n = 0; n < CLIENTS; n++) before.set(n, await ask(n))
    const config = lab.config(lab.containers.slice(0, 1))
    const [service] = config.services
    daemon.writeConfig({
      ...config,
      services: [{ ...service, addresses: [...service!.addresses, '198.18.0.1'] }],
    })

    const refusals = () => daemon.log.filter(({ msg }) => msg.startsWith('reload refused')).length
    let requests = 0
    for (let reloads = 1; reloads <= 5; reloads++) {
      daemon.running.signal('SIGHUP')
      do {
        const n = requests++ % CLIENTS
        assert.equal(await ask(n), before.get(n), `request ${requests}`)
      } while (refusals() < reloads || requests < reloads * CLIENTS)
    }
    console.error(`${requests} requests while 5 reloads were refused: each at its container`)
    await daemon.stop()
  }))
