/** What the daemon may still do once it serves: few capabilities, few system calls, in each of its threads. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { FAMILIES } from '../support/families.ts'
import type { Daemon } from '../support/lab/daemon.ts'
import { hostState } from '../support/lab/host-state.ts'
import { type Lab, withLab } from '../support/lab.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** linux/capability.h */
const NET_ADMIN = 1n << 12n
const NET_RAW = 1n << 13n
const BPF = 1n << 39n

const CAPABILITIES = '+net_admin,+net_raw,+bpf'
const NOBODY = '65534'

/** Where udev runs, everybody may open it; whoever may not make interfaces gets no further. */
const MAKE_TUN = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200'

/** Runs what follows as nobody, whose `folder` becomes, with the capabilities that systemd would give it. */
const asNobody = (lab: Lab, folder: string): string[] => [
  ...['unshare', '--mount', 'sh', '-c'],
  `${MAKE_TUN} && chmod 711 "$0" && chown -R "$1" "$2" && shift 2 && exec "$@"`,
  ...[lab.path(''), NOBODY, folder],
  ...['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'],
  ...['--inh-caps', CAPABILITIES, '--ambient-caps', CAPABILITIES, '--bounding-set', `-all,${CAPABILITIES}`],
]

type ThreadStatus = Readonly<Record<string, string>>

/** The daemon is its own only child that is no thread: nsenter and setpriv have run it in their own place. */
function threadsOf({ running }: Daemon): ThreadStatus[] {
  const tasks = `/proc/${running.pid}/task`
  return readdirSync(tasks).map((task) => {
    const lines = readFileSync(join(tasks, task, 'status'), 'utf8')
      .trim()
      .split('\n')
    return Object.fromEntries(lines.map((line) => line.split(/:\s*/) as [string, string]))
  })
}

function assertConfined(daemon: Daemon, most: bigint): void {
  const threads = threadsOf(daemon)
  assert.ok(threads.some(({ Name }) => Name?.startsWith('onehop-q')))
  for (const { Name, CapPrm, CapEff, CapBnd, NoNewPrivs, Seccomp } of threads) {
    for (const set of [CapPrm, CapEff, CapBnd]) assert.equal(BigInt(`0x${set}`), most, Name)
    assert.deepEqual({ NoNewPrivs, Seccomp }, { NoNewPrivs: '1', Seccomp: '2' }, Name)
  }
}

async function assertServes(lab: Lab): Promise<void> {
  const agent = await lab.client.agent()
  for (const { url, service, client } of FAMILIES) {
    assert.equal((await agent.get(`${url}/`, { from: client(50) })).status, 200)
    assert.equal((await agent.udp(service, 53, 'x', { from: client(50) })).payload, 'x')
  }
}

for (const [fastpath, most] of [
  ['require', NET_ADMIN | NET_RAW | BPF],
  ['off', NET_ADMIN | NET_RAW],
] as const)
  test(`with fastpath: ${fastpath} each thread keeps ${most.toString(16)} and no more, and serves, reloads and cleans up`, () =>
    withLab({}, async (lab) => {
      const clean = await hostState(lab.host)
      const config = { ...lab.config(), dataplane: { fastpath } }
      const daemon = await lab.startDaemon({ config })
      assertConfined(daemon, most)
      await assertServes(lab)
      daemon.running.signal('SIGHUP')
      await daemon.untilLogged(({ msg }) => msg === 'reloaded', 'reloaded')
      await assertServes(lab)
      await daemon.stop()
      assert.equal(await hostState(lab.host), clean)
    }))

test('serves as a user of its own, with the capabilities that scripts/onehop.service gives', () =>
  withLab({}, async (lab) => {
    const clean = await hostState(lab.host)
    const unit = readFileSync(join(ROOT, 'scripts/onehop.service'), 'utf8')
    assert.match(unit, /^AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_BPF$/m)
    const folder = lab.path('own')
    const config = { ...lab.config(), dataplane: { fastpath: 'require' } }
    const daemon = lab.launchDaemon({ config, wrapper: asNobody(lab, folder) }, folder)
    await daemon.untilReady()
    assert.ok(threadsOf(daemon).every(({ Uid }) => Uid!.split('\t').every((id) => id === NOBODY)))
    assertConfined(daemon, NET_ADMIN | NET_RAW | BPF)
    await assertServes(lab)
    await daemon.stop()
    assert.equal(await hostState(lab.host), clean)
  }))

test('what it starts can neither mount, trace, load modules nor make namespaces, and runs otherwise', () =>
  withLab({}, async (lab) => {
    const confined = (program: string) =>
      lab.host.attempt([
        process.execPath,
        '-e',
        `require(${JSON.stringify(join(ROOT, 'native/build/Release/onehop.node'))}).confine([12, 13], ['/usr/bin/python3', '-c', ${JSON.stringify(program)}])`,
      ])
    const call = (number: number) =>
      `import ctypes; c = ctypes.CDLL(None, use_errno=True); r = c.syscall(${number}, 0, 0, 0, 0, 0); print(r, ctypes.get_errno())`
    // x86-64's numbers and arm64's, which Python does not know by name.
    const numbers = { x64: [165, 101, 313, 272, 425], arm64: [40, 117, 273, 97, 425] }[
      process.arch as 'x64' | 'arm64'
    ]
    const ENOSYS = 38
    for (const number of numbers)
      assert.equal((await confined(call(number))).stdout, `-1 ${ENOSYS}\n`, `system call ${number}`)
    const opened = await confined(
      'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print("open")',
    )
    assert.equal(opened.stdout, 'open\n', opened.stderr)
    const owned = await confined('import os; os.chown("/proc/self", 1, 1)')
    assert.match(owned.stderr, /PermissionError/)
  }))
