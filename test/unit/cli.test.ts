import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { formatSections } from '../../src/cli/sections.ts'
import { onehop } from '../support/cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'onehop-cli-'))
after(() => rmSync(folder, { recursive: true }))

const root = join(import.meta.dirname, '..', '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

const good = join(folder, 'good.yaml')
writeFileSync(
  good,
  `version: 1
interfaces: {bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10, 203.0.113.11], ports: all, containers: [{name: a, address: 10.0.0.1}]}
`,
)

test('prints its version', async () =>
  assert.deepEqual(await onehop('--version'), { code: 0, stdout: `${version}\n`, stderr: '' }))

for (const command of ['run', 'status', 'check', 'replay'])
  test(`shows how ${command} is used, with examples`, async () => {
    const { code, stdout, stderr } = await onehop(command, '--help')
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, new RegExp(`^Usage: onehop ${command} .*\\n`))
    assert.match(stdout, new RegExp(`\\nExamples:\\n  onehop ${command}\\b`))
  })

test('lists every command in its help', async () => {
  const { code, stdout } = await onehop('--help')
  assert.equal(code, 0)
  for (const command of ['run', 'status', 'check', 'replay'])
    assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
})

const MISUSES: readonly (readonly [title: string, argv: readonly string[], stderr: RegExp])[] = [
  ['no command', [], /^Usage: onehop/],
  ['an unknown command', ['chek'], /^onehop: unknown command 'chek'\n\(Did you mean check\?\)/],
  ['an unknown option', ['check', '--x', good], /^onehop: unknown option '--x'/],
  ['a missing argument', ['check'], /^onehop: missing required argument 'file'/],
  ['an argument too many', ['check', good, good], /^onehop: too many arguments/],
  [
    'no config for replay',
    ['replay', 'a', 'b'],
    /^onehop: required option '-c, --config <file>' not specified/,
  ],
  [
    'an unknown engine',
    ['replay', 'a', 'b', '-c', good, '--engine', 'x'],
    /'x' is invalid.*reference, native/,
  ],
  [
    'an unknown log level',
    ['run', '-c', good, '--log-level', 'loud'],
    /'loud' is invalid.*trace, debug, info/,
  ],
  [
    'a file beside flags',
    ['run', '-c', good, '--tun', 't', '--queues', '2'],
    /^onehop: --config .* and --tun, --queues together/,
  ],
  [
    'flags that are wrong',
    ['run', '--bridge', 'b', '--service', 'x', '--container', 'a=10.0.0.1'],
    /^onehop: --service "x": expected/,
  ],
  ['a config that is not there', ['run', '-c', join(folder, 'none')], /^onehop: .*\/none: open: ENOENT/],
]

for (const [title, argv, expected] of MISUSES)
  test(`exits with 2 and says why on ${title}`, async () => {
    const { code, stdout, stderr } = await onehop(...argv)
    assert.match(stderr, expected)
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
  })

test('checks a good file', async () =>
  assert.deepEqual(await onehop('check', good), {
    code: 0,
    stdout: `${good}: ok, 1 service, 2 public addresses, 1 container\n`,
    stderr: '',
  }))

test('checks a wrong file', async () => {
  const wrong = join(folder, 'wrong.yaml')
  writeFileSync(wrong, readFileSync(good, 'utf8').replace('ports: all', 'prots: all'))
  const { code, stderr } = await onehop('check', wrong)
  assert.equal(code, 2)
  assert.equal(
    stderr,
    `onehop: ${wrong}:4:5: services[0].ports: missing; expected a list such as [80/tcp, 443/tcp], or all
${wrong}:4:58: services[0]: unknown key "prots"; did you mean ports?
`,
  )
})

/** A daemon as `status` sees it: something that answers on a socket. */
async function withDaemon(
  status: number,
  body: string,
  act: (socket: string) => Promise<void>,
): Promise<void> {
  const socket = join(folder, 'daemon.sock')
  const server = createServer(({ url }, answer) =>
    answer.writeHead(url === '/v1/status' ? status : 404).end(body),
  )
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  try {
    await act(socket)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

const STATUS = {
  version: '0.1.0',
  received: { packets: 12, bytes: 900 },
  services: [{ name: 'web\u001b[2J', ports: ['80/tcp'], in: { packets: 12, bytes: 900 } }],
}

test('shows the status of a daemon, without control characters', () =>
  withDaemon(200, JSON.stringify(STATUS), async (socket) => {
    const { code, stdout, stderr } = await onehop('status', '--socket', socket)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.equal(
      stdout,
      `version  0.1.0

received
  packets   12
  bytes    900

services
  name          ports   in packets  in bytes
  web\\u001b[2J  80/tcp          12       900
`,
    )
  }))

test('shows the status as the JSON it is', () =>
  withDaemon(200, JSON.stringify(STATUS), async (socket) => {
    const { stdout } = await onehop('status', '--socket', socket, '--json')
    assert.deepEqual(JSON.parse(stdout), STATUS)
  }))

for (const [title, status, body, message] of [
  ['refuses', 500, '{}', /GET \/v1\/status answers 500; expected 200/],
  ['speaks something else', 200, '<html>', /answers something that is not JSON/],
] as const)
  test(`says that a daemon ${title}`, () =>
    withDaemon(status, body, async (socket) => {
      const { code, stderr } = await onehop('status', '--socket', socket)
      assert.equal(code, 1)
      assert.match(stderr, message)
    }))

test('says that no daemon answers, and where it asked', async () => {
  const { code, stderr } = await onehop('status', '--tun', 'nosuchtun0')
  assert.equal(code, 1)
  assert.equal(
    stderr,
    'onehop: /run/onehop/nosuchtun0.sock: ENOENT: no daemon answers here; is onehop run at work?\n',
  )
})

test('formats what it does not know', () => {
  assert.equal(formatSections('x'), 'x\n')
  assert.equal(formatSections({ a: null, b: [], c: [1, 2] }), 'a  -\nb\nc  1, 2\n')
  assert.equal(formatSections({ t: [{ a: 1 }, { b: [{ name: 'x' }] }] }), 't\n  a  b\n  1  -\n  -  x\n')
})

test('ends quietly when its reader goes first', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', '--help'], { cwd: root })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})
