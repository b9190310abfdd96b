/** What the daemon cannot serve it refuses with a clear error, and leaves the host as it found it. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import test, { after } from 'node:test'
import { type Daemon, type DaemonOptions, onehopCommand } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { BRIDGE, Lab, PUBLIC } from '../support/lab.ts'

const lab = await Lab.open({ containers: 1 })
after(() => lab.close())
const good = lab.config()
const config = (interfaces: Readonly<Record<string, unknown>>) => ({
  ...good,
  interfaces: { ...good.interfaces, ...interfaces },
})

/** No /dev/net/tun, as in a container that was not given it. */
const WITHOUT_TUN = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$0" "$@"']

const without = (capability: string): string[] => ['setpriv', '--bounding-set', `-${capability}`]

interface Refusal {
  readonly title: string
  readonly options: DaemonOptions
  readonly code: number
  readonly error: RegExp
  /** Commands in the host's namespace that make and undo what stands in the way. */
  readonly make?: string
  readonly undo?: string
}

const REFUSALS: readonly Refusal[] = [
  {
    title: 'a config that is no YAML, with its line and column',
    options: { config: 'version: 1\nservices: [\n' },
    code: 2,
    error: /onehop\.yaml:\d+:\d+: /,
  },
  {
    title: 'a config with a wrong value, with its line, column, value and expectation',
    options: {
      config: `version: 1\ninterfaces: {bridges: [br0]}\nservices:\n  - name: web\n    addresses: [203.0.113.300]\n    ports: all\n    containers: [{name: a, address: 10.0.0.1}]\n`,
    },
    code: 2,
    error: /onehop\.yaml:5:17: .*"?203\.0\.113\.300"?.*expected/,
  },
  {
    title: 'a missing TUN device',
    options: { config: good, wrapper: WITHOUT_TUN },
    code: 1,
    error: /\/dev\/net\/tun.*ENOENT/,
  },
  {
    title: 'a missing CAP_NET_ADMIN',
    options: { config: good, wrapper: without('net_admin') },
    code: 1,
    error: /CAP_NET_ADMIN/,
  },
  {
    title: 'a missing CAP_NET_RAW',
    options: { config: good, wrapper: without('net_raw') },
    code: 1,
    error: /CAP_NET_RAW/,
  },
  {
    title: 'a bridge that does not exist',
    options: { config: config({ bridges: ['br9'] }) },
    code: 1,
    error: /br9.*(expected|not|no )/,
  },
  {
    title: 'an uplink that does not exist',
    options: { config: config({ uplinks: ['up9'] }) },
    code: 1,
    error: /up9.*(expected|not|no )/,
  },
  {
    title: 'a TUN name that another interface has',
    options: { config: config({ tun: 'veth1' }) },
    code: 1,
    error: /veth1 is taken by.*expected/,
  },
  {
    title: 'a public address that the host has itself',
    options: { config: good },
    code: 1,
    error: new RegExp(`${PUBLIC.replaceAll('.', '\\.')}.*${BRIDGE}`),
    make: `ip address add ${PUBLIC}/32 dev ${BRIDGE}`,
    undo: `ip address delete ${PUBLIC}/32 dev ${BRIDGE}`,
  },
  {
    title: 'a public address that is routed elsewhere already',
    options: { config: good },
    code: 1,
    error: new RegExp(`${PUBLIC.replaceAll('.', '\\.')}.*route`),
    make: `ip route add ${PUBLIC}/32 via 198.18.0.2`,
    undo: `ip route delete ${PUBLIC}/32 via 198.18.0.2`,
  },
]

for (const { title, options, code, error, make, undo } of REFUSALS)
  test(`refuses ${title}, and leaves nothing behind`, async () => {
    if (make) await lab.host.script(make)
    try {
      const before = await hostState(lab.host)
      const folder = lab.path(`refusal-${title.length}`)
      const daemon = lab.launchDaemon(options, folder)
      const timer = setTimeout(() => daemon.running.kill(), 60_000)
      const exit = await daemon.running.exited
      clearTimeout(timer)
      const { stdout, stderr } = daemon.running
      assert.deepEqual(exit, { code, signal: null }, stdout + stderr)
      assert.match(stdout + stderr, error)
      // An error is a sentence for people, not a stack.
      assert.doesNotMatch(stderr, /^ {4}at /m)
      assert.equal(await hostState(lab.host), before)
      assert.deepEqual(leftIn(folder), [])
    } finally {
      if (undo) await lab.host.script(undo)
    }
  })

test('refuses to be a second daemon for the same TUN, and leaves the first one at work', async () => {
  const first = await lab.startDaemon()
  const before = await hostState(lab.host)
  const second = lab.launchDaemon({ config: good })
  const { code } = await second.running.exited
  assert.equal(code, 1)
  assert.match(second.running.stderr, new RegExp(`onehop0: another daemon, with pid ${first.running.pid},`))
  assert.equal(await hostState(lab.host), before)
  const agent = await lab.client.agent()
  assert.equal((await agent.get(`http://${PUBLIC}/`)).status, 200)
  await first.stop()
})

test('refuses to be a second daemon that keeps its table where another does, in another network namespace', async () => {
  const store = lab.path('common.store')
  const first = await lab.startDaemon({ config: good, flags: ['--store', store] })
  const argv = [...onehopCommand(), 'run', '--config', first.configFile, '--store', store, '--no-routes']
  const { code, stderr } = await lab.client.attempt([
    ...argv,
    ...['--run-dir', lab.path('other'), '--state-dir', lab.path('other')],
  ])
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(`common.store: another daemon, with pid ${first.running.pid}, keeps its table`),
  )
  const agent = await lab.client.agent()
  assert.equal((await agent.get(`http://${PUBLIC}/`)).status, 200)
  await first.stop()
})

const ELSEWHERE = '203.0.113.99'

/** Of a second daemon with a TUN of its own: what it shares with the first one, and what that is told by. */
const COLLISIONS: readonly (readonly [
  title: string,
  shared: (first: Daemon) => { readonly config: object; readonly flags?: readonly string[] },
  error: RegExp,
])[] = [
  [
    'the same public address',
    () => ({ config: other({ addresses: [PUBLIC] }) }),
    /public address 203\.0\.113\.10 has a route that onehop did not make for onehop1 \(dev onehop0/,
  ],
  [
    'the same control socket',
    (first) => ({ config: other({}), flags: ['--socket', first.commandLine('status').at(-1)!] }),
    /onehop\.sock: .*another daemon answers here; expected/,
  ],
  [
    'the same address for the metrics',
    () => ({ config: { ...other({}), metrics: METRICS } }),
    /metrics: listen 127\.0\.0\.1 port 9464: EADDRINUSE/,
  ],
]

const METRICS = '127.0.0.1:9464'

const other = (service: object) => ({
  ...config({ tun: 'onehop1' }),
  services: [{ ...good.services[0]!, addresses: [ELSEWHERE], ports: ['80/tcp->9090'], ...service }],
})

test('refuses to be a second daemon at what another one has, and leaves that one at work', async () => {
  const first = await lab.startDaemon({ config: { ...good, metrics: METRICS } })
  const before = await hostState(lab.host)
  for (const [title, shared, error] of COLLISIONS) {
    const second = lab.launchDaemon(shared(first))
    const timer = setTimeout(() => second.running.kill(), 60_000)
    const { code } = await second.running.exited
    clearTimeout(timer)
    const said = second.running.stdout + second.running.stderr
    assert.equal(code, 1, `${title}: ${said}`)
    assert.match(said, error, title)
    assert.doesNotMatch(second.running.stderr, /^ {4}at /m)
    assert.equal(await hostState(lab.host), before, title)
  }
  const agent = await lab.client.agent()
  assert.equal((await agent.get(`http://${PUBLIC}/`)).status, 200)
  assert.equal((await first.ask('status')).code, 0)
  await first.stop()
})

/** Files other than the config itself, and what a state directory keeps on purpose. */
function leftIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => !entry.isDirectory() && entry.name !== 'onehop.yaml' && !entry.parentPath.includes('/state'),
    )
    .map(({ name }) => name)
}
