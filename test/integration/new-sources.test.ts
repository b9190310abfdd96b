/** How many new sources a prefix may bring, on real traffic. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import { untilTrue } from '../support/lab/until.ts'
import { type Lab, withLab } from '../support/lab.ts'

interface Status {
  readonly verdicts: readonly {
    readonly verdict: string
    readonly reason: string
    readonly packets: number
  }[]
}

const BURST = 3
const NEWCOMERS = 12

const configOf = (lab: Lab) => ({
  ...lab.config(),
  newSources: { perPrefix: 1, burst: `${BURST}s`, prefix4: 20, prefix6: 64 },
})

test('a prefix brings no more new sources than it may; known ones are served on, and a reload lifts the limit', () =>
  withLab({}, async (lab) => {
    const daemon = await lab.startDaemon({ config: configOf(lab) })
    const agent = await lab.client.agent()
    for (const { client, service, url } of FAMILIES) {
      const connect = (n: number) => agent.connect(service, 80, { from: client(n), timeoutMs: 200 })
      const known = Array.from({ length: BURST }, (_, n) => client(n))
      for (const from of known) assert.equal((await agent.get(`${url}/`, { from })).status, 200)
      const start = performance.now()
      const tried = Array.from({ length: NEWCOMERS }, (_, n) => connect(BURST + n))
      const opened = (await Promise.all(tried)).filter((result) => result === 'open').length
      const seconds = Math.ceil((performance.now() - start) / 1_000) + 1
      console.error(`${opened} of ${NEWCOMERS} newcomers of one prefix in ${seconds} s beyond its burst`)
      assert.ok(opened <= BURST + seconds, `${opened} opened`)
      for (const from of known) assert.equal((await agent.get(`${url}/`, { from })).status, 200)
      // A place regained between two questions goes to the next newcomer.
      let next = 200
      await untilTrue(async () => {
        await connect(next++)
        const { stdout } = await daemon.ask('explain', client(250))
        return /is dropped now: it is new, and as many of its prefix .*\(prefix-limit\)/.test(stdout)
      }, 'explain says that one more would be dropped')
    }
    const { stdout: drops } = await daemon.ask('drops', '--reason', 'prefix-limit')
    assert.match(drops, /newSources\.perPrefix/)
    const { verdicts } = await daemon.status<Status>()
    assert.ok(verdicts.some(({ reason, packets }) => reason === 'prefix-limit' && packets > 0))

    daemon.writeConfig(lab.config())
    daemon.running.signal('SIGHUP')
    await daemon.running.until(() => daemon.log.some(({ msg }) => msg === 'reloaded'), 'reloaded', 30_000)
    for (const { client, url } of FAMILIES)
      for (let n = 100; n < 110; n++)
        assert.equal((await agent.get(`${url}/`, { from: client(n) })).status, 200)
    await daemon.stop()
  }))
