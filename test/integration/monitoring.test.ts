/** The dashboard and the alerts ask for what a daemon serves, in a Prometheus that scrapes it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { parse } from 'yaml'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { Lab, PUBLIC } from '../support/lab.ts'
import { readMetrics } from '../support/metrics.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const ALERTS = join(ROOT, 'scripts', 'monitoring', 'alerts.yml')
const ALERT_TESTS = join(ROOT, 'test', 'fixtures', 'alerts.test.yml')
const METRICS = '127.0.0.1:9464'
const PROMETHEUS = '127.0.0.1:9090'
const METRIC = /\b(?:onehop|process)_[a-z_]+\b/g

interface Dashboard {
  readonly uid: string
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
  readonly panels: readonly Panel[]
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

interface Rule {
  readonly alert: string
  readonly expr: string
}

const dashboard = JSON.parse(
  readFileSync(join(ROOT, 'scripts', 'monitoring', 'dashboard.json'), 'utf8'),
) as Dashboard
const rules = (parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
)
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

const lab = await Lab.open()
after(() => lab.close())
const config = lab.config()
const absent = {
  ...config.services[0]!,
  name: 'absent',
  addresses: ['203.0.113.11'],
  containers: { dns: { name: 'absent.example', type: 'A', server: '127.0.0.1:9' } },
}
const services = [...config.services, absent]
const daemon = await lab.startDaemon({ config: { ...config, services, metrics: METRICS } })
after(() => daemon.stop())

test('promtool finds the alerts right, and each fires when it shall and only then', () => {
  for (const argv of [
    ['check', 'rules', ALERTS],
    ['test', 'rules', ALERT_TESTS],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', argv, { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  }
  const tested = readFileSync(ALERT_TESTS, 'utf8')
  for (const { alert } of rules) assert.equal(tested.split(`alertname: ${alert}`).length - 1, 3, alert)
})

test('the dashboard has what Grafana needs, and panels that do not cover each other', () => {
  assert.equal(dashboard.uid, 'onehop')
  assert.ok(dashboard.schemaVersion >= 36)
  const source = dashboard.templating.list.find(({ type }) => type === 'datasource')!
  const taken = new Set<string>()
  for (const { title, datasource, gridPos, targets } of dashboard.panels) {
    for (const { uid } of [datasource, ...targets.map((target) => target.datasource)])
      assert.equal(uid, `\${${source.name}}`, title)
    assert.ok(gridPos.x + gridPos.w <= 24, title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x} ${y}`), title)
        taken.add(`${x} ${y}`)
      }
  }
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
})

const curl = (url: string, ...argv: readonly string[]) =>
  lab.host.run(['curl', '-sS', '--fail', ...argv, `http://${url}`])

test('every metric of the dashboard and the alerts is served', async () => {
  const agent = await lab.client.agent()
  for (const { url, client } of FAMILIES) await agent.who(`${url}/`, { from: client(1) })
  const served = new Set(
    [...readMetrics(await curl(`${METRICS}/metrics`)).keys()].map((key) => key.split('{')[0]!),
  )
  const named = new Set(
    [...expressions, ...rules.map(({ expr }) => expr)].flatMap((expr) => expr.match(METRIC)!),
  )
  assert.ok(named.size > 20)
  assert.deepEqual(
    [...named].filter((name) => !served.has(name)),
    [],
  )
})

test('a Prometheus loads the alerts and has an answer to each query of the dashboard', async () => {
  const file = lab.path('prometheus.yml')
  const targets = [{ targets: [METRICS] }]
  writeFileSync(
    file,
    JSON.stringify({
      global: { scrape_interval: '1s' },
      rule_files: [ALERTS],
      scrape_configs: [{ job_name: 'onehop', static_configs: targets }],
    }),
  )
  lab.host.start([
    'prometheus',
    `--config.file=${file}`,
    `--storage.tsdb.path=${lab.path('prometheus')}`,
    `--web.listen-address=${PROMETHEUS}`,
  ])
  await lab.host.untilListening('tcp', 9090)
  const query = async (expr: string) => {
    const concrete = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.+')
    const answer = await curl(`${PROMETHEUS}/api/v1/query`, '--get', '--data-urlencode', `query=${concrete}`)
    return (JSON.parse(answer) as { data: { result: unknown[] } }).data.result
  }
  await untilTrue(
    async () => (await query('rate(process_cpu_seconds_total[1m])').catch(() => [])).length > 0,
    'two scrapes',
  )
  const { code } = await lab.client.attempt(['curl', '-sS', `http://${PUBLIC}:81/`])
  assert.notEqual(code, 0, 'a port that is not served is refused')
  await untilTrue(async () => {
    for (const expr of expressions) if ((await query(expr)).length === 0) return false
    return true
  }, 'an answer to every query')
  const loaded = JSON.parse(await curl(`${PROMETHEUS}/api/v1/rules`)) as {
    data: { groups: { rules: { name: string }[] }[] }
  }
  assert.deepEqual(
    loaded.data.groups.flatMap((group) => group.rules.map(({ name }) => name)),
    rules.map(({ alert }) => alert),
  )
})
