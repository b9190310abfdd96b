/**
 * onehop at work, in network namespaces. What stands in the table was observed: each container by the answer it
 * gave, each address by the server that saw it, each reason and count by `onehop status`.
 */
import { styleText } from 'node:util'
import type { Status } from '../src/api/status.ts'
import { formatRows } from '../src/cli/sections.ts'
import { inUrl } from '../test/support/families.ts'
import type { Agent } from '../test/support/lab/agent.ts'
import type { Daemon } from '../test/support/lab/daemon.ts'
import { hostState } from '../test/support/lab/host-state.ts'
import { clientAddress, clientAddress6, Lab, PUBLIC, PUBLIC6 } from '../test/support/lab.ts'

const PICTURE = `
  clients ───────────── host ─────────────── bridge ─┬─ c1  10.77.0.11  fd77::11
  198.19.0.0/16         onehop owns                  ├─ c2  10.77.0.12  fd77::12
  2001:db8:19::/64      203.0.113.10                 └─ c3  10.77.0.13  fd77::13
                        2001:db8:53::10
`

const CLIENTS = [...[0, 1, 300, 700, 4_000].map(clientAddress), ...[0, 1, 300].map(clientAddress6)]
const PINNED = { source: clientAddress(700), container: 'c2' }

interface Visit {
  readonly container: string
  readonly sawAddress: string
  /** Why this visit's packets went where they went: reasons of the verdict `forward`. */
  readonly reasons: readonly string[]
}

const isTerminal = process.stdout.isTTY === true && !process.env.NO_COLOR
const paint = (format: 'bold' | 'dim' | 'green' | 'red', text: string): string =>
  isTerminal ? styleText(format, text) : text

/** What turned out otherwise than onehop promises. */
const broken: string[] = []

async function main(): Promise<void> {
  console.log(PICTURE)
  const lab = await step('namespaces, and an HTTP server in each container', () => Lab.open())
  try {
    await show(lab)
  } finally {
    await lab.close()
  }
  for (const promise of broken) console.log(paint('red', `✖ ${promise}`))
  process.exitCode = broken.length > 0 ? 1 : 0
}

async function show(lab: Lab): Promise<void> {
  const before = await hostState(lab.host)
  const daemon = await step('onehop run', () => lab.startDaemon({ config: demoConfig(lab) }))
  await showVisits(await lab.client.agent(), daemon)
  await showCounters(daemon)
  const { code } = await step('onehop stops', () => daemon.stop())
  claim(code === 0, 'it ended with exit code 0')
  claim(
    (await hostState(lab.host)) === before,
    "the host's interfaces, routes, firewall and sysctls are as before",
  )
}

function demoConfig(lab: Lab) {
  const { services, ...rest } = lab.config()
  return { ...rest, services: services.map((service) => ({ ...service, pins: [PINNED] })) }
}

/** Every client asks twice, with a new connection each time. */
async function showVisits(agent: Agent, daemon: Daemon): Promise<void> {
  console.log(`\n${CLIENTS.length} clients ask ${urlOf(PUBLIC)} or ${urlOf(PUBLIC6)}, and then ask again:\n`)
  const rows: string[][] = []
  let counted = await daemon.status<Status>()
  const visit = async (client: string): Promise<Visit> => {
    const before = counted
    const { container, peer } = await agent.who(urlOf(client.includes(':') ? PUBLIC6 : PUBLIC), {
      from: client,
    })
    counted = await daemon.status<Status>()
    return { container, sawAddress: peer, reasons: forwardReasons(before, counted) }
  }
  for (const client of CLIENTS) {
    const visits = [await visit(client), await visit(client)] as const
    rows.push(rowOf(client, visits))
    claimVisits(client, visits)
  }
  printTable(['client', 'container', 'why', 'the container saw', 'again', 'why'], rows)
  const served = new Set(rows.map(([, container]) => container))
  claim(served.size === 3, 'each of the three containers served someone')
}

const urlOf = (address: string): string => `http://${inUrl(address)}/`

/** What was counted between two looks, in the order in which it can happen. */
function forwardReasons(before: Status, after: Status): string[] {
  const earlier = new Map(before.verdicts.map(({ reason, verdict, packets }) => [verdict + reason, packets]))
  return after.verdicts
    .filter(({ verdict }) => verdict === 'forward')
    .map(({ reason, packets }) => ({ reason, packets: packets - (earlier.get(`forward${reason}`) ?? 0) }))
    .filter(({ packets }) => packets > 0)
    .map(({ reason, packets }) => `${reason} ×${packets}`)
    .reverse()
}

const rowOf = (client: string, [first, second]: readonly [Visit, Visit]): string[] => [
  client,
  first.container,
  first.reasons.join(', '),
  first.sawAddress === client && second.sawAddress === client ? `${client} ✓` : first.sawAddress,
  second.container === first.container ? `${second.container} ✓` : second.container,
  second.reasons.join(', '),
]

function claimVisits(client: string, visits: readonly [Visit, Visit]): void {
  const [first, second] = visits
  if (first.container !== second.container) broken.push(`${client}: its second visit went elsewhere`)
  if (visits.some(({ sawAddress }) => sawAddress !== client))
    broken.push(`${client}: seen with another address`)
  if (client === PINNED.source && first.container !== PINNED.container)
    broken.push(`${client}: pinned to ${PINNED.container}, but served by ${first.container}`)
}

const MEANINGS = `
  chosen  no entry yet: the hash of the client's address picked    known  the entry from then on
  pinned  the config says so (${PINNED.source} → ${PINNED.container})
`

async function showCounters(daemon: Daemon): Promise<void> {
  console.log(paint('dim', MEANINGS))
  const { received, verdicts, containers } = await daemon.status<Status>()
  console.log('What the daemon counted:\n')
  printTable(
    ['verdict', 'reason', 'packets', 'bytes'],
    verdicts.map(({ verdict, reason, packets, bytes }) => [verdict, reason, String(packets), String(bytes)]),
  )
  printTable(
    ['container', 'packets to it', 'from it'],
    containers.map((container) => [
      container.name,
      String(container.in.packets),
      String(container.out.packets),
    ]),
  )
  const sum = verdicts.reduce((packets, verdict) => packets + verdict.packets, 0)
  claim(sum === received.packets, `${received.packets} packets received, ${sum} verdicts`)
}

function printTable(heading: readonly string[], rows: readonly (readonly string[])[]): void {
  const [first, ...lines] = formatRows([heading, ...rows])
    .trimEnd()
    .split('\n')
  console.log([paint('bold', `  ${first}`), ...lines.map((line) => `  ${line}`), ''].join('\n'))
}

/** Says that something holds, or remembers that it does not. */
function claim(holds: boolean, what: string): void {
  if (holds) console.log(`${paint('green', '✓')} ${what}`)
  else broken.push(`not so: ${what}`)
}

async function step<Result>(title: string, act: () => Promise<Result>): Promise<Result> {
  const start = performance.now()
  const result = await act()
  console.log(
    `${paint('green', '✓')} ${title} ${paint('dim', `${Math.round(performance.now() - start)} ms`)}`,
  )
  return result
}

await main()
