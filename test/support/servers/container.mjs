/**
 * What runs in a container: `node container.mjs NAME '{"http":[8080],"udp":[5353]}'`.
 *
 * HTTP: `GET /bytes?bytes=N&seed=S` streams known bytes, `PUT /bytes?…` compares them, anything else answers
 * `{"container","peer","peerPort"}`. UDP: `who?` is answered the same way, anything else comes back as it is.
 * TCP and UDP on both families. Each request is a JSON line on standard output (`"isQuiet":true`: none), the first
 * line says `ready`.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { ByteStream } from './bytes.mjs'

const [, , container, ports] = process.argv
const { http = [], udp = [], isQuiet = false } = JSON.parse(ports)

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const log = isQuiet ? () => {} : tell

/** The peer as its family writes it; a socket for both shows IPv4 as ::ffff:192.0.2.1. */
const whoIs = (address, port) => ({
  container,
  peer: address.replace(/^::ffff:(?=\d+\.)/, ''),
  peerPort: port,
})

async function serveHttp(port) {
  const server = createServer(async (request, answer) => {
    const who = whoIs(request.socket.remoteAddress, request.socket.remotePort)
    const url = new URL(request.url, 'http://container')
    log({ protocol: 'http', port, method: request.method, path: url.pathname, ...who })
    if (url.pathname !== '/bytes') return answer.end(JSON.stringify(who))
    const bytes = new ByteStream(url.searchParams.get('seed'), Number(url.searchParams.get('bytes')))
    if (request.method === 'GET') return bytes.pipe(answer).catch(() => answer.destroy())
    for await (const chunk of request) bytes.compare(chunk)
    answer.end(JSON.stringify({ count: bytes.count, isComplete: bytes.isComplete }))
  })
  // An idle connection is the client's to close.
  server.keepAliveTimeout = 0
  await once(server.listen(port, '::', 4096), 'listening')
}

async function serveUdp(port) {
  const socket = createSocket({ type: 'udp6', ipv6Only: false })
  socket.on('message', (bytes, peer) => {
    const who = whoIs(peer.address, peer.port)
    log({ protocol: 'udp', port, ...who })
    socket.send(bytes.equals(Buffer.from('who?')) ? JSON.stringify(who) : bytes, peer.port, peer.address)
  })
  await once(socket.bind(port, '::'), 'listening')
}

await Promise.all([...http.map(serveHttp), ...udp.map(serveUdp)])
tell({ ready: true })
