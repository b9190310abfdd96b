import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { parseConfig } from '../../src/config/load.ts'
import { countOf, quantileNs } from '../../src/dataplane/latency.ts'
import { formatMetric } from '../../src/metrics/exposition.ts'
import { formatMetrics, type Measured } from '../../src/metrics/metrics.ts'
import { serveMetrics } from '../../src/metrics/server.ts'
import { exampleLatency } from '../support/example-status.ts'
import { readMetrics } from '../support/metrics.ts'

const USAGE = { cpuSeconds: 1.5, residentBytes: 1024, startedUnixSeconds: 1_700_000_000 }
const NONE = { packets: 0, bytes: 0 }
const SOME = { packets: 3, bytes: 180 }

function exampleStatus(services = 1, containers = 1): Status {
  return {
    version: '0.1.0',
    pid: 7,
    upSeconds: 60,
    config: { from: 'flags' },
    tun: 'onehop0',
    bridges: ['br0'],
    routes: 'made',
    received: SOME,
    verdicts: [{ verdict: 'forward', reason: 'known', ...SOME }],
    table: { entries: 1, capacity: 10, probation: 2, made: 9, moved: 3, full: 4, overQuota: 6, expired: 5 },
    store: { path: '/s', state: 'failing', error: 'EIO', restored: 0, dropped: 0, noRoom: 0 },
    decisions: { path: '/d', state: 'current', bytes: 9, lost: 4 },
    io: {
      tunReadErrors: 1,
      tunWriteErrors: 2,
      bridgeWrites: 3,
      bridgeWriteErrors: 4,
      tunWrites: 5,
      joined: 7,
      tunEmptied: 11,
      tunQueueLength: 4096,
      tunDropped: 8,
      errors: [{ call: 'write bridge', error: 'EMSGSIZE', count: 4 }],
      neighboursResolved: 6,
      neighboursWanted: 8,
      queues: 1,
      offload: ['tso4'],
      fastpath: { state: 'on', uplinks: 1, ports: 2, sources: 9, full: 7 },
      selfCheck: { every: 100, checked: 12, wrong: 1 },
    },
    latency: [],
    services: Array.from({ length: services }, (_, i) => ({
      name: `web-${i}`,
      addresses: ['203.0.113.10'],
      ports: ['80/tcp'],
      containers: ['c-0'],
      entries: 1,
      in: SOME,
      out: NONE,
    })),
    containers: Array.from({ length: containers }, (_, i) => ({
      name: `c-${i}`,
      addresses: ['10.0.0.1'],
      state: 'draining',
      in: SOME,
      out: NONE,
    })),
    sources: [
      { source: 'docker a', state: 'ok', sinceSeconds: 9, lastSeconds: 2, containers: 7, error: undefined },
      {
        source: 'dns b',
        state: 'failing',
        sinceSeconds: 1,
        lastSeconds: undefined,
        containers: 0,
        error: 'ETIMEOUT',
      },
    ],
    problems: ['one', 'two'],
  }
}

const measured = (status: Status): Measured => ({
  status,
  services: { count: status.services.length, all: status.services },
  containers: {
    count: status.containers.length,
    all: status.containers,
    inState: { ready: 0, draining: status.containers.length, down: 0 },
    flapping: 0,
  },
  latency: exampleLatency(),
})

test('a label may hold anything: quotes, backslashes and line ends are escaped', () => {
  const name = 'a"b\\c\nd}é'
  const text = formatMetric('onehop_x', 'gauge', 'What it is.', [[{ name, other: '' }, 2]])
  assert.equal(text.split('\n').length, 4)
  assert.deepEqual(readMetrics(text), new Map([[`onehop_x{name=${JSON.stringify(name)},other=""}`, 2]]))
  assert.equal(formatMetric('onehop_x', 'gauge', 'What it is.', []), '')
})

test('what the status says is in the metrics, each under its labels', () => {
  const metrics = readMetrics(formatMetrics(measured(exampleStatus()), USAGE))
  const expected = {
    onehop_received_packets_total: 3,
    'onehop_packets_total{verdict="forward",reason="known"}': 3,
    'onehop_bytes_total{verdict="forward",reason="known"}': 180,
    'onehop_service_packets_total{service="web-0",direction="in"}': 3,
    'onehop_service_bytes_total{service="web-0",direction="out"}': 0,
    'onehop_container_packets_total{container="c-0",direction="in"}': 3,
    'onehop_container_state{container="c-0",state="ready"}': 0,
    'onehop_container_state{container="c-0",state="draining"}': 1,
    'onehop_containers{state="draining"}': 1,
    'onehop_containers{state="down"}': 0,
    'onehop_source_up{source="docker a"}': 1,
    'onehop_source_up{source="dns b"}': 0,
    'onehop_source_containers{source="docker a"}': 7,
    'onehop_source_list_age_seconds{source="docker a"}': 2,
    'onehop_source_list_age_seconds{source="dns b"}': undefined,
    onehop_problems: 2,
    onehop_table_entries: 1,
    onehop_table_expired_total: 5,
    onehop_table_over_quota_total: 6,
    'onehop_writes_total{to="bridge"}': 3,
    onehop_joined_datagrams_total: 7,
    onehop_tun_dropped_total: 8,
    'onehop_io_errors_total{call="write bridge",error="EMSGSIZE"}': 4,
    'onehop_io_errors_total{call="write bridge",error="ENOBUFS"}': 0,
    'onehop_io_errors_total{call="read TUN",error="EIO"}': 0,
    onehop_tun_queue_packets: 4_096,
    onehop_tun_emptied_total: 11,
    onehop_store_up: 0,
    onehop_decision_log_up: 1,
    onehop_decision_log_lost_total: 4,
    onehop_table_made_total: 9,
    'onehop_neighbours{state="unresolved"}': 2,
    'onehop_fastpath_interfaces{kind="port"}': 2,
    onehop_fastpath_sources: 9,
    onehop_fastpath_full_total: 7,
    onehop_self_checked_packets_total: 12,
    onehop_self_check_wrong_packets_total: 1,
    'onehop_packet_seconds_bucket{direction="request",le="0.000001"}': 0,
    'onehop_packet_seconds_bucket{direction="request",le="0.000002"}': 5,
    'onehop_packet_seconds_bucket{direction="request",le="0.000004"}': 9,
    'onehop_packet_seconds_bucket{direction="request",le="+Inf"}': 10,
    'onehop_packet_seconds_sum{direction="request"}': 0.00006,
    'onehop_packet_seconds_count{direction="request"}': 10,
    'onehop_packet_seconds_count{direction="answer"}': 0,
    process_cpu_seconds_total: 1.5,
    [`onehop_build_info{version="0.1.0",node="${process.versions.node}"}`]: 1,
  }
  for (const [series, value] of Object.entries(expected)) assert.equal(metrics.get(series), value, series)
})

test('the README has each metric by its name, and no other', () => {
  const text = formatMetrics(measured(exampleStatus()), USAGE)
  const served = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
  const named = [...readme.matchAll(/`((?:onehop|process)_[a-z_]+)`/g)].map(([, name]) => name!)
  assert.deepEqual([...new Set(named)].sort(), served.sort())
})

test('quantiles lie within their bucket, evenly, and of the last one at its bound', () => {
  const { boundsNs, request, answer } = exampleLatency()
  assert.equal(countOf(request), 10)
  assert.equal(quantileNs(request, boundsNs, 0.5), 2_000)
  assert.equal(quantileNs(request, boundsNs, 0.7), 3_000)
  assert.equal(quantileNs(request, boundsNs, 0.99), 4_000)
  assert.equal(quantileNs(answer, boundsNs, 0.5), undefined)
})

test('a host full of services and containers: series are bounded, and written in less than 200 ms of processor time', () => {
  const status = exampleStatus(12_000, 5_000)
  formatMetrics(measured(status), USAGE)
  const before = process.cpuUsage()
  const text = formatMetrics(measured(status), USAGE)
  const { user, system } = process.cpuUsage(before)
  const ms = (user + system) / 1000
  const metrics = readMetrics(text)
  const seriesOf = (name: string) =>
    [...metrics.keys()].filter((series) => series.startsWith(`${name}{`)).length
  assert.equal(metrics.get('onehop_services'), 12_000)
  assert.equal(metrics.get('onehop_containers{state="draining"}'), 5_000)
  assert.deepEqual(
    [seriesOf('onehop_service_packets_total'), seriesOf('onehop_container_state')],
    [20_000, 3_000],
  )
  assert.ok(ms < 200, `${ms} ms`)
})

test('only GET /metrics is answered, on the address that was asked for', async (t) => {
  const port = await freePort()
  const server = await serveMetrics({ host: '127.0.0.1', port }, () => measured(exampleStatus()))
  t.after(() => server.close())
  const url = `http://127.0.0.1:${port}`
  const answer = await fetch(`${url}/metrics`)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(readMetrics(await answer.text()).get('onehop_services'), 1)
  assert.equal((await fetch(`${url}/v1/status`)).status, 404)
  assert.equal((await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(10_000) })).status, 413)
  await assert.rejects(
    serveMetrics({ host: '127.0.0.1', port }, () => measured(exampleStatus())),
    { code: 'E_SYSTEM', message: `metrics: listen 127.0.0.1 port ${port}: EADDRINUSE` },
  )
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

const metricsOf = (value: string) => {
  const text = `{version: 1, interfaces: {bridges: [br0]}, metrics: ${value}, services: []}`
  try {
    return parseConfig(text, 'c.yaml').metrics
  } catch (error) {
    return (error as Error).message
  }
}

test('where metrics are served is an address with a port', () => {
  assert.deepEqual(metricsOf('"127.0.0.1:9464"'), { host: '127.0.0.1', port: 9464 })
  assert.deepEqual(metricsOf('"[::]:1"'), { host: '::', port: 1 })
  for (const wrong of [
    '9464',
    '":9464"',
    '"localhost:9464"',
    '"127.0.0.1:0"',
    '"::1:9464"',
    '"[127.0.0.1]:1"',
  ])
    assert.match(
      String(metricsOf(wrong)),
      /metrics: .*; expected an address and a port such as 127\.0\.0\.1:9464/,
    )
})
