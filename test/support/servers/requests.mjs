/** Requests over HTTP, UDP and TCP, each of which resolves to what came of it, or rejects. */
import { createSocket } from 'node:dgram'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { ByteStream } from './bytes.mjs'

const TIMEOUT_MS = 30_000
const UDP_AGAIN_MS = 200

const keptAgents = new Map()

/** No TCP keep-alive in the time of a test: ten probes a second apart would end a connection that may well wait. */
const KEPT = { keepAlive: true, keepAliveMsecs: 3_600_000, maxSockets: 1 }

/** One named connection that stays open, or none that does. */
function agentOf(connection) {
  if (connection === undefined) return false
  if (!keptAgents.has(connection)) keptAgents.set(connection, new Agent(KEPT))
  return keptAgents.get(connection)
}

/** Ends the connection of this name, if there is one; a request on it fails. */
export function closeConnection(connection) {
  keptAgents.get(connection)?.destroy()
  keptAgents.delete(connection)
}

export function get({ url, from, connection, timeoutMs = TIMEOUT_MS }) {
  return ask(url, { from, timeoutMs, agent: agentOf(connection) }, async (answer) => {
    const { localPort } = answer.socket
    const chunks = await answer.toArray()
    return { status: answer.statusCode, body: Buffer.concat(chunks).toString(), localPort }
  })
}

/** `read` gets the answer; its result, or the first error of either, settles the promise. */
function ask(url, { from, timeoutMs, agent = false, method = 'GET' }, read, send = (asking) => asking.end()) {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent, localAddress: from, timeout: timeoutMs })
    asking.on('timeout', () => asking.destroy(failure(`GET ${url}: silent for ${timeoutMs} ms`, 'ETIMEDOUT')))
    asking.on('error', reject)
    asking.on('response', (answer) => read(answer).then(resolve, reject))
    Promise.resolve(send(asking)).catch(reject)
  })
}

const failure = (message, code) => Object.assign(new Error(message), { code })

/** Sends one datagram, and again every `againMs` until there is an answer. */
export function udp({ address, port, payload, from, timeoutMs = TIMEOUT_MS, againMs = UDP_AGAIN_MS }) {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const timers = []
    const settle = (act, value) => {
      for (const timer of timers) clearInterval(timer)
      socket.close()
      act(value)
    }
    // EMSGSIZE tells of a smaller MTU on the path, which the next try keeps to.
    socket.on('error', (error) => error.code === 'EMSGSIZE' || settle(reject, error))
    socket.on('message', (bytes, peer) =>
      settle(resolve, { address: peer.address, port: peer.port, payload: bytes.toString('latin1') }),
    )
    socket.bind({ address: from, port: 0 }, () =>
      // Connected, so that ICMP errors are reported and nobody else's datagrams are taken.
      socket.connect(port, address, () => {
        const send = () => socket.send(Buffer.from(payload, 'latin1'))
        timers.push(setInterval(send, againMs))
        timers.push(
          setTimeout(
            () => settle(reject, failure(`${address}:${port}/udp: no answer`, 'ETIMEDOUT')),
            timeoutMs,
          ),
        )
        send()
      }),
    )
  })
}

export function connectTcp({ address, port, from, timeoutMs = TIMEOUT_MS }) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localAddress: from })
    const settle = (outcome) => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(timeoutMs, () => settle('ETIMEDOUT'))
    socket.on('connect', () => settle('open'))
    socket.on('error', ({ code }) => settle(code))
  })
}

export async function download({ url, bytes, from, timeoutMs = TIMEOUT_MS }) {
  const seed = String(Math.random())
  const start = performance.now()
  const path = `${url}?bytes=${bytes}&seed=${seed}`
  return ask(path, { from, timeoutMs }, async (answer) => {
    const expected = new ByteStream(seed, bytes)
    for await (const chunk of answer) expected.compare(chunk)
    return {
      bytes: expected.count,
      isEqual: expected.isComplete,
      seconds: (performance.now() - start) / 1000,
    }
  })
}

export async function upload({ url, bytes, from, timeoutMs = TIMEOUT_MS }) {
  const seed = String(Math.random())
  const start = performance.now()
  const path = `${url}?bytes=${bytes}&seed=${seed}`
  const read = async (answer) => {
    const { count, isComplete } = JSON.parse(Buffer.concat(await answer.toArray()).toString())
    return { bytes: count, isEqual: isComplete, seconds: (performance.now() - start) / 1000 }
  }
  return ask(path, { from, timeoutMs, method: 'PUT' }, read, (asking) =>
    new ByteStream(seed, bytes).pipe(asking),
  )
}
