/** What a crowd of clients notices of reloads, on either path. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Agent } from '../support/lab/agent.ts'
import { Crowd, type Phase } from '../support/lab/crowd.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { type Lab, PUBLIC, withLab } from '../support/lab.ts'

const CLIENTS = 300
const INTERVAL_SECONDS = 0.25
const OTHER = '203.0.113.11'
/** What a container that is taken away was just answering: as much as comes while the longest answer takes. */
const askedLast = ({ longest }: Phase): number => 5 + (CLIENTS / INTERVAL_SECONDS) * (longest / 1_000)

type Fastpath = 'require' | 'off'

const configOf = (lab: Lab, fastpath: Fastpath, containers = lab.containers) => ({
  ...lab.config(containers),
  dataplane: { fastpath },
})

async function reload(daemon: Daemon, config: unknown): Promise<number> {
  const before = daemon.log.filter(({ msg }) => msg === 'reloaded').length
  const started = performance.now()
  daemon.writeConfig(config)
  daemon.running.signal('SIGHUP')
  await daemon.running.until(
    () => daemon.log.filter(({ msg }) => msg === 'reloaded').length > before,
    'reloaded',
  )
  return performance.now() - started
}

/** Callers who come one after the other, each a client of his own with a new connection, for as long as `during` takes. */
async function refusedWhile(agent: Agent, during: () => Promise<void>): Promise<Called> {
  const called = { calls: 0, refused: 0 }
  let isOver = false
  const call = async () => {
    while (!isOver) {
      const n = called.calls++
      const outcome = await agent.connect(PUBLIC, 80, { from: `198.19.128.${n % 250}`, timeoutMs: 900 })
      if (outcome !== 'open') called.refused++
    }
  }
  const calling = Promise.all([call(), call()])
  await during().finally(() => {
    isOver = true
  })
  await calling
  return called
}

interface Called {
  readonly calls: number
  readonly refused: number
}

/** Newcomers without an answer are counted when two seconds are over. */
async function settled(crowd: Crowd): Promise<Phase> {
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  return crowd.next('after')
}

function tell(title: string, reloads: readonly number[], phase: Phase, called: Called): void {
  console.error(
    [
      `${title}: ${reloads.length} reloads of ${Math.round(Math.max(...reloads))} ms at most;`,
      `${phase.lost} lost of ${phase.answers + phase.lost}, longest answer ${Math.round(phase.longest)} ms,`,
      `${phase.unanswered} of ${phase.newcomers.length + phase.unanswered} newcomers without an answer,`,
      `${phase.broken} connections broken, ${phase.moved} clients moved, ${called.refused} of ${called.calls} new connections refused`,
    ].join(' '),
  )
}

/** The crowd knows its containers, and so does the fast path. */
async function crowdOf(lab: Lab): Promise<Crowd> {
  const crowd = Crowd.start(lab, CLIENTS, INTERVAL_SECONDS)
  await crowd.until('settling', ({ answers, lost }) => lost === 0 && answers > CLIENTS)
  return crowd
}

for (const fastpath of ['require', 'off'] as const) {
  test(`reloads under load lose no packet, break no connection and move nobody, fastpath: ${fastpath}`, () =>
    withLab({}, async (lab) => {
      const clean = await hostState(lab.host)
      const config = configOf(lab, fastpath)
      const other = { ...config.services[0]!, name: 'other', addresses: [OTHER], ports: ['80/tcp->9090'] }
      const daemon = await lab.startDaemon({ config })
      const crowd = await crowdOf(lab)
      await crowd.next('reloading')
      const reloads: number[] = []
      const called = await refusedWhile(await lab.client.agent(), async () => {
        for (let round = 0; round < 4; round++)
          for (const services of [[...config.services, other], config.services])
            reloads.push(await reload(daemon, { ...config, services }))
      })
      const phase = await settled(crowd)
      await crowd.stop()
      tell(`fastpath ${fastpath}`, reloads, phase, called)
      assert.deepEqual([phase.lost, phase.unanswered, phase.broken, phase.moved], [0, 0, 0, 0])
      assert.deepEqual([called.refused, called.calls > 0], [0, true])
      await daemon.stop()
      assert.equal(await hostState(lab.host), clean)
    }))

  test(`a reload that swaps all containers turns nobody away, fastpath: ${fastpath}`, () =>
    withLab({ containers: 4 }, async (lab) => {
      const clean = await hostState(lab.host)
      const [a, b, c, d] = lab.containers
      const [odd, even] = [configOf(lab, fastpath, [a!, c!]), configOf(lab, fastpath, [b!, d!])]
      const daemon = await lab.startDaemon({ config: odd })
      const crowd = await crowdOf(lab)
      await crowd.next('swapping')
      const reloads: number[] = []
      const called = await refusedWhile(await lab.client.agent(), async () => {
        for (const config of [even, odd, even, odd]) reloads.push(await reload(daemon, config))
      })
      const phase = await settled(crowd)
      await crowd.stop()
      tell(`all swapped, fastpath ${fastpath}`, reloads, phase, called)
      const asked = askedLast(phase) * reloads.length
      // A connection ends with its container, and its last request with it.
      const lost = phase.lost - phase.broken
      assert.ok(lost <= asked && phase.unanswered <= asked, `${lost} lost, ${phase.unanswered} of newcomers`)
      assert.ok(
        called.refused <= asked && called.refused < called.calls / 20,
        `${called.refused} of ${called.calls} refused`,
      )
      await daemon.stop()
      assert.equal(await hostState(lab.host), clean)
    }))
}
