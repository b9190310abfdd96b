import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import type { Status } from '../../src/api/status.ts'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { Lab } from '../support/lab.ts'
import { readMetrics } from '../support/metrics.ts'

const LISTEN = '127.0.0.1:9464'
const CLIENTS = 20

const lab = await Lab.open()
after(() => lab.close())
const daemon = await lab.startDaemon({ config: { ...lab.config(), metrics: LISTEN } })
after(() => daemon.stop())
const agent = await lab.client.agent()

const scrape = async () =>
  readMetrics(await lab.host.run(['curl', '-sS', '--fail', `http://${LISTEN}/metrics`]))

test('a scrape counts what the status counts, and its reasons add up to the packets received', async () => {
  for (const { url, client } of FAMILIES)
    for (let n = 0; n < CLIENTS; n++) await agent.who(`${url}/`, { from: client(n) })
  await untilTrue(async () => {
    const before = await scrape()
    const status = await daemon.status<Status>()
    const metrics = await scrape()
    // Neighbour discovery and late acknowledgements may come between: then once more.
    if (before.get('onehop_received_packets_total') !== metrics.get('onehop_received_packets_total'))
      return false
    const sum = [...metrics]
      .filter(([series]) => series.startsWith('onehop_packets_total{'))
      .map(([, value]) => value)
    assert.equal(
      sum.reduce((a, b) => a + b, 0),
      metrics.get('onehop_received_packets_total'),
    )
    assert.equal(metrics.get('onehop_received_packets_total'), status.received.packets)
    assert.equal(metrics.get('onehop_table_entries'), 2 * CLIENTS)
    const [web] = status.services
    assert.equal(metrics.get('onehop_service_packets_total{service="web",direction="in"}'), web!.in.packets)
    assert.equal(metrics.get('onehop_service_bytes_total{service="web",direction="out"}'), web!.out.bytes)
    for (const {
      name,
      in: { packets },
    } of status.containers)
      assert.equal(metrics.get(`onehop_container_packets_total{container="${name}",direction="in"}`), packets)
    return true
  }, 'two scrapes with nothing between')
})

test('what an operator does shows in the states', async () => {
  const { code } = await daemon.ask('containers', 'drain', 'c1')
  assert.equal(code, 0)
  const metrics = await scrape()
  assert.equal(metrics.get('onehop_container_state{container="c1",state="draining"}'), 1)
  assert.equal(metrics.get('onehop_containers{state="ready"}'), 2)
})
