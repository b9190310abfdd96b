import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import test, { type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import type { Address } from '../../src/address.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { ASSUMED_UP, type Health, nextHealth } from '../../src/containers/health.ts'
import { type HealthChange, HealthChecks } from '../../src/containers/health-checks.ts'
import { Echoes, type OpenEchoSocket } from '../../src/containers/probes/echo.ts'
import { type ProbeTarget, probe } from '../../src/containers/probes/probe.ts'
import { openEchoSocket } from '../../src/dataplane/echo.ts'
import { makeCertificate } from '../support/certificate.ts'
import { untilTrue } from '../support/lab/until.ts'

/** `+` passed, `-` failed → `U` up, `d` down after each; rise 2, fall 3. */
const HISTORIES = [
  ['++++', 'UUUU'],
  ['---', 'UUd'],
  ['--+--+--', 'UUUUUUUU'],
  ['---+-+-+', 'UUdddddd'],
  ['---++', 'UUddU'],
  ['---++---', 'UUddUUUd'],
] as const

for (const [results, expected] of HISTORIES)
  test(`rise 2, fall 3: ${results} gives ${expected}`, () => {
    let health: Health = ASSUMED_UP
    const seen = [...results].map((result) => {
      health = nextHealth(health, result === '+', { rise: 2, fall: 3 })
      return health.isUp ? 'U' : 'd'
    })
    assert.equal(seen.join(''), expected)
  })

const TARGET = { host: '127.0.0.1', timeoutMs: 10_000 } as const
const HTTP = { ...TARGET, type: 'http', path: '/', status: undefined, hostName: undefined } as const

const noEcho: OpenEchoSocket = () => assert.fail('opened an echo socket')

async function listen(t: TestContext, server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

const resultOf = (target: ProbeTarget, open = noEcho) =>
  new Promise((resolve) => probe(target, new Echoes(open), resolve))

/** A port that was just free. */
async function closedPort(t: TestContext): Promise<number> {
  const server = createServer()
  const port = await listen(t, server)
  server.close()
  await once(server, 'close')
  return port
}

test('TCP: an open port passes, a closed one says ECONNREFUSED', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.on('error', () => {})),
  )
  assert.equal(await resultOf({ ...TARGET, type: 'tcp', port }), undefined)
  const closed = await closedPort(t)
  assert.equal(await resultOf({ ...TARGET, type: 'tcp', port: closed }), 'ECONNREFUSED')
})

test('HTTP: 200 to 399 pass unless one status is asked for', async (t) => {
  const server = createHttpServer((request, answer) => {
    answer.writeHead(Number(request.url!.slice(1))).end('body')
  })
  const port = await listen(t, server)
  const ask = (path: string, status?: number) => resultOf({ ...HTTP, port, path, status })
  assert.equal(await ask('/200'), undefined)
  assert.equal(await ask('/399'), undefined)
  assert.equal(await ask('/404'), 'HTTP status 404')
  assert.equal(await ask('/500'), 'HTTP status 500')
  assert.equal(await ask('/503', 503), undefined)
  assert.equal(await ask('/200', 204), 'HTTP status 200')
})

test('HTTP: silence, a trickle without end, and what is no HTTP fail within the time-out', async (t) => {
  for (const answer of ['', 'HTTP/1.1 200 OK\r\nx: '] as const) {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (answer !== '') socket.write(answer)
    })
    const port = await listen(t, server)
    const result = await resultOf({ ...HTTP, port, timeoutMs: 50 })
    assert.equal(result, 'no answer within 50 ms')
  }
  const garbage = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-x\r\n'))
  const port = await listen(t, garbage)
  assert.match(String(await resultOf({ ...HTTP, port })), /^HPE_/)
  const endless = createServer((socket) => {
    socket.on('error', () => {}).write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}`)
  })
  const wide = await listen(t, endless)
  assert.equal(await resultOf({ ...HTTP, port: wide }), 'HPE_HEADER_OVERFLOW')
})

test('HTTPS: any certificate will do; the host name is asked for in TLS and in HTTP', async (t) => {
  const asked: unknown[] = []
  const server = createHttpsServer(makeCertificate(), (request, answer) => {
    const { servername } = request.socket as TLSSocket
    asked.push([servername, request.headers.host])
    answer.writeHead(204).end()
  })
  const port = await listen(t, server)
  const https = { ...HTTP, type: 'https', port } as const
  assert.equal(await resultOf({ ...https, hostName: 'www.example.com' }), undefined)
  assert.equal(await resultOf(https), undefined)
  assert.deepEqual(asked, [
    ['www.example.com', 'www.example.com'],
    [false, `127.0.0.1:${port}`],
  ])
  const plain = await listen(t, createHttpServer())
  assert.match(String(await resultOf({ ...https, port: plain })), /^(EPROTO|ERR_SSL_)/)
})

test('UDP: an answer that begins as expected passes; another, silence and a closed port fail', async (t) => {
  const server = createSocket('udp4')
  t.after(() => server.close())
  const heard: string[] = []
  server.on('message', (message, { port, address }) => {
    heard.push(message.toString('latin1'))
    if (message.length > 0) server.send(Buffer.from([0x00, 0xff, 0x41]), port, address)
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  const udp = { ...TARGET, type: 'udp', port: server.address().port, send: '\x00\xe9?', expect: '' } as const
  assert.equal(await resultOf(udp), undefined)
  assert.equal(await resultOf({ ...udp, expect: '\x00\xff' }), undefined)
  assert.equal(await resultOf({ ...udp, expect: 'A' }), 'another answer than expected')
  assert.equal(await resultOf({ ...udp, send: '', timeoutMs: 50 }), 'no answer within 50 ms')
  assert.deepEqual(heard, ['\x00\xe9?', '\x00\xe9?', '\x00\xe9?', ''])
  assert.equal(await resultOf({ ...udp, port: await closedUdpPort() }), 'ECONNREFUSED')
})

async function closedUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

for (const [family, address] of [
  ['ICMP', '7f000001'],
  ['ICMPv6', '00000000000000000000000000000001'],
] as const)
  test(`${family}: each echo request is settled by its own reply, over one socket`, async (t) => {
    let opened = 0
    const echoes = new Echoes((isV6, onReply) => {
      opened++
      return openEchoSocket(isV6, onReply)
    })
    t.after(() => echoes.close())
    const target = { type: 'icmp', address: address as Address, timeoutMs: 10_000 } as const
    const asking = Array.from({ length: 200 }, () => new Promise((settle) => probe(target, echoes, settle)))
    assert.deepEqual(new Set(await Promise.all(asking)), new Set([undefined]))
    assert.equal(opened, 1)
  })

test("ICMP: somebody else's reply settles nothing, and what the system refuses is told", async () => {
  const target = { type: 'icmp', address: '7f000001' as Address, timeoutMs: 50 } as const
  const deaf: OpenEchoSocket = (_, onReply) => ({
    send: () => setImmediate(() => onReply(new Uint8Array(8))),
    close: () => {},
  })
  assert.equal(await resultOf(target, deaf), 'no answer within 50 ms')
  const refused: OpenEchoSocket = () => {
    throw new Error('socket IPPROTO_ICMP: EPERM (need CAP_NET_RAW)')
  }
  assert.equal(await resultOf(target, refused), 'socket IPPROTO_ICMP: EPERM (need CAP_NET_RAW)')
  const broadcast = { ...target, address: 'ffffffff' as Address }
  assert.equal(await resultOf(broadcast, openEchoSocket), 'sendto: EACCES')
})

test('a probe that is cancelled reports nothing, and ends its connection', async (t) => {
  const server = createServer()
  const port = await listen(t, server)
  const cancel = probe({ ...HTTP, port }, new Echoes(noEcho), () => assert.fail('reported'))
  const [socket] = await once(server, 'connection')
  socket.on('error', () => {})
  cancel()
  await once(socket, 'close')
})

/** Loopback is no container's address in a file, so it is put in afterwards. */
function configFor(ports: readonly number[], health: string): Config {
  const containers = ports.map((port, i) => `{name: c${i}, address: 10.0.0.${i + 1}, port: ${port}}`)
  const config = parseConfig(
    `{version: 1, interfaces: {bridges: [br0]}, services: [{name: web, addresses: [192.0.2.1],
      ports: [80/tcp], containers: [${containers}], health: ${health}}]}`,
    'test',
  )
  const services = config.services.map((service) => ({
    ...service,
    containers: service.containers.map((one) => ({ ...one, address: '7f000001' as typeof one.address })),
  }))
  return { ...config, services }
}

test('containers that go down together are told together, and come up again', async (t) => {
  let status = 500
  const server = createHttpServer((_, answer) => void answer.writeHead(status).end())
  const port = await listen(t, server)
  const calls: (readonly HealthChange[])[] = []
  const checks = new HealthChecks((changes) => calls.push(changes), noEcho)
  t.after(() => checks.close())
  checks.update(configFor([port, port], '{type: http, interval: 10ms, timeout: 5s, rise: 1, fall: 2}'))
  assert.ok(checks.isUp('c0') && checks.isUp('c1') && checks.isUp('unknown'))
  await untilTrue(() => !checks.isUp('c0') && !checks.isUp('c1') && calls.flat().length === 2, 'both down')
  assert.deepEqual(new Set(calls.flat().map(({ container }) => container)), new Set(['c0', 'c1']))
  assert.ok(calls.flat().every(({ isUp, failure }) => !isUp && failure === 'HTTP status 500'))
  const before = {
    service: 'web',
    container: 'c0',
    state: 'draining',
    weight: 1,
    reason: 'operator',
    sinceSeconds: 1,
    leftSeconds: 9,
  } as const
  const { sinceSeconds, ...standing } = checks.standing(before)
  const overruled = { state: 'down', reason: 'health', leftSeconds: undefined }
  assert.deepEqual({ ...standing, sinceSeconds: 1 }, { ...before, ...overruled })
  assert.ok(sinceSeconds !== undefined && sinceSeconds >= 0 && sinceSeconds <= 60)
  status = 200
  await untilTrue(() => checks.isUp('c0') && checks.isUp('c1'), 'both up')
  assert.equal(checks.standing(before), before)
})

test('a check that is asked for as before keeps what it knows; one that is gone is forgotten', async (t) => {
  const port = await closedPort(t)
  const health = '{type: tcp, interval: 10ms, rise: 1, fall: 1}'
  const checks = new HealthChecks(() => {}, noEcho)
  t.after(() => checks.close())
  checks.update(configFor([port, port], health))
  await untilTrue(() => !checks.isUp('c0') && !checks.isUp('c1'), 'both down')
  checks.update(configFor([port], health))
  assert.deepEqual([checks.isUp('c0'), checks.isUp('c1')], [false, true])
})

test('closed in the middle of a probe, it tells nothing and asks nothing more', async (t) => {
  const told: unknown[] = []
  const checks = new HealthChecks((changes) => told.push(changes), noEcho)
  const asked: string[] = []
  const server = createHttpServer((request, answer) => {
    asked.push(request.url!)
    checks.close()
    answer.writeHead(500).end()
  })
  const port = await listen(t, server)
  checks.update(configFor([port], '{type: http, path: /check, interval: 10ms, fall: 1}'))
  const [socket] = await once(server, 'connection')
  await once(socket, 'close')
  await resultOf({ ...HTTP, port, path: '/after' })
  assert.deepEqual([asked, told, checks.isUp('c0')], [['/check', '/after'], [], true])
})

const errorOf = (health: string, ports = '80/tcp') => {
  const text = `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [192.0.2.1], ports: [${ports}], containers: [], health: ${health}}`
  try {
    parseConfig(text, 'c.yaml')
  } catch (error) {
    return (error as Error).message.replace(/^c\.yaml:[0-9:]+ services\[0\]\.health/, '')
  }
}

test('what is wrong with a check is said with its place and what was expected', () => {
  assert.equal(errorOf('{type: tcp}'), undefined)
  assert.equal(errorOf('{type: tcp, port: 9}', '53/udp'), undefined)
  assert.equal(errorOf('{type: icmp, jitter: 0%}', '53/udp'), undefined)
  assert.equal(errorOf('{type: udp, send: "\\x00\\xff", expect: ok}', '53/udp'), undefined)
  assert.match(errorOf('{type: ping}')!, /^\.type: "ping"; expected tcp or http or https or udp or icmp$/)
  assert.match(errorOf('tcp')!, /^: "tcp"; expected a mapping with type, /)
  assert.match(errorOf('{type: icmp, port: 9}')!, /^: unknown key "port"; expected one of type, interval/)
  assert.match(errorOf('{type: udp, send: x}')!, /^: no port to check; expected port, .* no UDP port$/)
  assert.match(
    errorOf('{type: udp, port: 9}')!,
    /^\.send: missing; expected a text of characters up to U\+00FF/,
  )
  assert.match(errorOf('{type: udp, port: 9, send: "€"}')!, /^\.send: "€"; expected a text of characters/)
  assert.match(errorOf('{type: http, host: "a b"}')!, /^\.host: "a b"; expected a host name/)
  assert.match(errorOf('{type: http, host: "a\\r\\nx: y"}')!, /^\.host: .*; expected a host name/)
  assert.match(errorOf('{type: tcp, jitter: 60%}')!, /^\.jitter: "60%"; expected a share such as 10%/)
  assert.match(errorOf('{type: tcp}', '53/udp')!, /^: no port to check; expected port/)
  assert.match(errorOf('{type: http, path: "/a b"}')!, /^\.path: "\/a b"; expected a path such as/)
  assert.match(errorOf('{type: http, interval: 1ms}')!, /^\.interval: "1ms"; expected a time such as/)
  assert.match(errorOf('{type: http, fall: 0}')!, /^\.fall: 0; expected a whole number from 1 to 100$/)
  assert.match(errorOf('{type: http, status: 99}')!, /^\.status: 99; expected a whole number/)
})
