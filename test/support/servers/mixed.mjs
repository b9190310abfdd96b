/**
 * Mixed traffic of many clients, all the time: `node mixed.mjs '{"service":{"4":ADDRESS,"6":ADDRESS},"clients":N,"perSecond":N}'`.
 * test/support/soak/mix.ts is its other end.
 *
 * Steady clients, IPv4 and IPv6 by turns, each with an address of its own and one request at a time, ask over HTTP (on
 * connections that stay open, and on new ones), by datagrams whole and in fragments, and by pings, and send and get large
 * bodies; each must stay at its container. Newcomers ask once. Nothing is ever asked again: one packet lost shows.
 */
import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { serveMethods } from './methods.mjs'
import { closeConnection, download, get, udp, upload } from './requests.mjs'

const { service, clients: CLIENTS, perSecond } = JSON.parse(process.argv[2])

const TICK_MS = 20
const NEVER_MS = 3_600_000
/** A connection is used this often, then another takes its place. */
const USES = 50
const FRAGMENTED = 'f'.repeat(4_000)
const LARGE_BYTES = 1 << 20
/** Addresses of test/support/lab.ts's clientAddress that newcomers have by turns; the hour is over before they return. */
const NEWCOMERS = { first: 10_000, count: 50_000 }
const MOST_IN_FLIGHT = 500
/** Failures that are told of in words until they are asked for; all are counted. */
const MOST_TOLD = 100

class Client {
  asked = 0
  isBusy = false
  /** Where it is known. */
  container

  constructor(number) {
    this.number = number
    this.family = number % 2 === 0 ? 4 : 6
    const n = number + 1
    this.from = this.family === 4 ? `198.19.${n >> 8}.${n & 255}` : `2001:db8:19::${n.toString(16)}`
    this.to = service[this.family]
    this.url = `http://${this.family === 4 ? this.to : `[${this.to}]`}`
  }

  get connection() {
    return String(this.number)
  }

  /** Who answers must know it by its address, and be who always did. */
  isAnsweredBy({ container, peer }) {
    if (peer !== this.from) throw new Error(`${container} saw ${peer}`)
    if (![undefined, container].includes(this.container))
      throw new Error(`answered by ${container}, after ${this.container}`)
    this.container = container
    return container
  }
}

const kinds = {
  async kept(client) {
    if (++client.asked % USES === 0) closeConnection(client.connection)
    return who(client, await get({ ...requestOf(client), connection: client.connection }))
  },
  fresh: async (client) => who(client, await get(requestOf(client))),
  newcomer: (client) => (client.number % 4 < 2 ? kinds.fresh(client) : kinds.datagram(client)),
  datagram: async (client) => who(client, { body: await exchange(client, 'who?') }),
  async fragments(client) {
    if ((await exchange(client, FRAGMENTED)) !== FRAGMENTED) throw new Error('another payload came back')
  },
  download: async (client) => whole(await download({ ...largeOf(client) })),
  upload: async (client) => whole(await upload({ ...largeOf(client) })),
  async ping({ from, to }) {
    const { stdout } = await promisify(execFile)('ping', [...'-n -c 3 -l 3 -i 10 -I'.split(' '), from, to])
    if (!stdout.includes(' 3 received, 0%')) throw new Error(stdout)
  },
}

const requestOf = ({ url, from }) => ({ url: `${url}/`, from })
const largeOf = ({ url, from }) => ({ url: `${url}/bytes`, bytes: LARGE_BYTES, from })

async function exchange({ to, from }, payload) {
  const asked = { address: to, port: 53, payload, from, againMs: NEVER_MS }
  return (await udp(asked)).payload
}

function who(client, { status = 200, body }) {
  if (status !== 200) throw new Error(`${status} ${body}`)
  return client.isAnsweredBy(JSON.parse(body))
}

function whole({ bytes, isEqual }) {
  if (!isEqual || bytes !== LARGE_BYTES)
    throw new Error(`${bytes} bytes of ${LARGE_BYTES}, equal: ${isEqual}`)
}

/** Of a thousand requests; the rest by turns of the ordinary. */
function kindOf(n) {
  if (n % 500 === 0) return 'ping'
  if (n % 250 === 1) return n % 500 === 1 ? 'download' : 'upload'
  if (n % 50 === 3) return 'fragments'
  if (n % 10 === 5) return 'newcomer'
  return ['kept', 'fresh', 'datagram', 'kept'][n % 4]
}

const steady = Array.from({ length: CLIENTS }, (_, number) => new Client(number))
const inFlight = new Set()
/** Containers whose clients ask nobody; and those that nobody may be answered by. */
const leaving = new Set()
const left = new Set()
let isRunning = false
let turn = 0
let newcomers = 0
let begun = 0
let figures = newFigures()

function newFigures() {
  return { requests: 0, failed: 0, failures: [], latencies: [], kinds: {}, containers: {} }
}

function nextClient(kind) {
  if (kind === 'newcomer') return new Client(NEWCOMERS.first + (newcomers++ % NEWCOMERS.count))
  for (let tries = 0; tries < CLIENTS; tries++) {
    const client = steady[turn++ % CLIENTS]
    if (!client.isBusy && !leaving.has(client.container)) return client
  }
  return undefined
}

function start(n) {
  const wanted = kindOf(n)
  const client = nextClient(wanted)
  if (client === undefined) return
  // What makes a source known, and binding, is a handshake.
  const kind = client.container === undefined && wanted !== 'newcomer' ? 'fresh' : wanted
  const asking = request(kind, client).finally(() => inFlight.delete(asking))
  inFlight.add(asking)
}

async function request(kind, client) {
  const start = performance.now()
  const gone = [...left]
  client.isBusy = true
  figures.requests++
  figures.kinds[kind] = (figures.kinds[kind] ?? 0) + 1
  try {
    const container = await kinds[kind](client)
    if (gone.includes(container)) throw new Error(`answered by ${container}, which nobody may be at`)
    if (container !== undefined) {
      figures.latencies.push(performance.now() - start)
      figures.containers[container] = (figures.containers[container] ?? 0) + 1
    }
  } catch ({ message, code }) {
    figures.failed++
    const { from, container } = client
    const afterMs = Math.round(performance.now() - start)
    const at = new Date().toISOString()
    if (figures.failures.length < MOST_TOLD)
      figures.failures.push({ at, kind, from, container, message, code, afterMs })
    closeConnection(client.connection)
  } finally {
    client.isBusy = false
  }
}

/** As many as the time since the last turn wants; a machine that stands still is not made up for. */
async function run() {
  const every = TICK_MS / 1000
  let owed = 0
  while (isRunning) {
    for (owed = Math.min(owed + perSecond * every, perSecond); owed >= 1; owed--)
      if (inFlight.size < MOST_IN_FLIGHT) start(begun++)
    await pause(TICK_MS)
  }
}

const settled = () => Promise.all([...inFlight])

serveMethods({
  async resume() {
    isRunning = true
    void run()
  },

  /** When it resolves, nothing is in flight, and no connection open. */
  async pause() {
    isRunning = false
    await settled()
    for (const { connection } of steady) closeConnection(connection)
  },

  /** The clients of a drained container end what they are at, and ask no more; whoever begins from now on must not meet it. */
  async leave({ container }) {
    leaving.add(container)
    await settled()
    left.add(container)
    for (const client of steady) if (client.container === container) closeConnection(client.connection)
  },

  /** They ask again, wherever they get to. */
  async goElsewhere({ container }) {
    for (const client of steady) if (client.container === container) client.container = undefined
    leaving.delete(container)
  },

  /** It may answer again. */
  async allow({ container }) {
    left.delete(container)
  },

  /** Of the time since they were last asked for. */
  async figures() {
    const { latencies, ...counted } = figures
    figures = newFigures()
    const sorted = latencies.sort((a, b) => a - b)
    const at = (share) => sorted[Math.floor(sorted.length * share)] ?? 0
    return { ...counted, medianMs: at(0.5), p99Ms: at(0.99), inFlight: inFlight.size }
  },
})
