/**
 * How long a change takes to reach packets, at ten thousand services: a source that sends all the time is pinned to the other
 * container, and the first packet arrives there. From the request to the daemon until then, both on one clock.
 */
import { join } from 'node:path'
import { askDaemon } from '../../src/cli/ask.ts'
import { type Container, Lab, PUBLIC } from '../support/lab.ts'
import { type Arrived, askSink, DATAGRAMS } from './datagrams.ts'
import { type EngineFigure, figureOf } from './figure.ts'
import { addNeighbours, grownConfig, importSources } from './legs/growth.ts'
import { datagramsServer, startServers } from './servers.ts'
import type { Bound } from './targets.ts'

const SERVICES = 10_000
const CHANGES = 10
const SOURCE = '198.18.0.2'
/** A packet every tenth of a millisecond. */
const RATE = 10_000
const SOON: Bound = { kind: 'at most', limit: 10 }
const WAYS = [
  { fastpath: 'require', title: 'fast path' },
  { fastpath: 'off', title: 'TUN path' },
]

export async function measureEffect(rounds: number): Promise<readonly EngineFigure[]> {
  const figures: EngineFigure[] = []
  for (const { fastpath, title } of WAYS) {
    const change = 'from a pin to the first packet at its container'
    const where = `${SERVICES.toLocaleString('en')} services, ${title}`
    figures.push(figureOf(`${where}: ${change}`, 'ms', SOON, await changesMs(fastpath, rounds * CHANGES)))
  }
  return figures
}

async function changesMs(fastpath: string, changes: number): Promise<readonly number[]> {
  const lab = await Lab.open({ containers: 2, http: [], udp: [] })
  try {
    for (const { namespace } of lab.containers) await startServers([datagramsServer], lab, namespace)
    await addNeighbours(lab, { services: SERVICES })
    const config = grownConfig(lab, [datagramsServer], fastpath, { services: SERVICES })
    const daemon = await lab.startDaemon({ config })
    await importSources(lab, daemon, { first: SOURCE, count: 1 })
    const socket = join(lab.path('daemon-1'), 'onehop.sock')
    const send = [DATAGRAMS, 'send', PUBLIC, datagramsServer.port, 60 + changes, RATE].map(String)
    const sender = lab.client.start(send)
    const took: number[] = []
    for (let n = 0; n < changes; n++) took.push(await changeMs(lab, socket, lab.containers[n % 2]!))
    sender.kill()
    await daemon.stop()
    return took
  } finally {
    await lab.close()
  }
}

/** The first change finds the source where the algorithm put it; it may be there already, so it is made to leave first. */
async function changeMs(lab: Lab, socket: string, container: Container): Promise<number> {
  const other = lab.containers.find((one) => one !== container)!
  await pinTo(socket, other)
  await untilArriving(lab, other)
  await untilSilent(lab, container)
  const start = process.hrtime.bigint()
  await pinTo(socket, container)
  const { firstNs } = await untilArriving(lab, container)
  return (firstNs - Number(start)) / 1e6
}

const pinTo = (socket: string, { name }: Container): Promise<unknown> =>
  askDaemon({ socket, runDir: '', tun: '' }, '/v1/table/pin', {
    service: 'bench',
    source: SOURCE,
    container: name,
  })

const ask = (lab: Lab, { address }: Container): Promise<Arrived> =>
  askSink(lab.host, address, datagramsServer.port)

/** What is asked for is set back, so the first packet is the first since the sink was silent. */
async function untilArriving(lab: Lab, container: Container): Promise<Arrived> {
  for (let n = 0; n < MOST_ASKED; n++) {
    const arrived = await ask(lab, container)
    if (arrived.count > 0) return arrived
  }
  throw new Error(`no packet arrived at ${container.name}`)
}

async function untilSilent(lab: Lab, container: Container): Promise<void> {
  for (let n = 0; n < MOST_ASKED; n++) if ((await ask(lab, container)).count === 0) return
  throw new Error(`${container.name} gets packets still`)
}

const MOST_ASKED = 500
