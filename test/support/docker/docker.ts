import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace } from '../lab/namespace.ts'
import { attempt, Running } from '../lab/running.ts'
import { untilTrue } from '../lab/until.ts'

export interface RunOptions {
  readonly labels?: Readonly<Record<string, string>>
  /** More arguments of `docker run`. */
  readonly flags?: readonly string[]
  /** What its server listens on; HTTP on 8080 and UDP on 5353 unless said. */
  readonly ports?: { readonly http?: readonly number[]; readonly udp?: readonly number[] }
}

const SERVERS = join(import.meta.dirname, '..', 'servers')
const IMAGE = 'server'
const CGROUPS = '/sys/fs/cgroup'

/**
 * A real Docker Engine with a namespace's network: its bridges, addresses and iptables rules are all in there. It has its own
 * process tree, so that containers and their shims end with it, however it ends, and its own folder for everything it keeps.
 */
export class Docker {
  readonly socket: string
  readonly #folder: string
  readonly #cgroup: string
  readonly #engine: Running

  private constructor(namespace: Namespace, folder: string, flags: readonly string[]) {
    this.#folder = folder
    this.#cgroup = `onehop-test-${randomBytes(4).toString('hex')}`
    this.socket = join(folder, 'docker.sock')
    // Not --mount: the namespace's own /sys hides the cgroups.
    this.#engine = new Running([
      ...['nsenter', '--target', String(namespace.pid), '--net', '--'],
      ...['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', 'dockerd'],
      ...['--host', `unix://${this.socket}`, '--pidfile', join(folder, 'pid')],
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--storage-driver', 'vfs', '--cgroup-parent', this.#cgroup],
      ...['--bip', '10.78.0.1/16', '--default-address-pool', 'base=10.79.0.0/16,size=24'],
      ...['--ipv6', '--fixed-cidr-v6', 'fd78::/64', '--ip6tables', '--experimental'],
      ...flags,
    ])
    openEngines.add(this)
  }

  /** Resolves when it answers and has an image to run. `flags`: more of dockerd's, the last of a name wins. */
  static async open(namespace: Namespace, flags: readonly string[] = []): Promise<Docker> {
    const docker = new Docker(namespace, mkdtempSync(join(tmpdir(), 'onehop-dockerd-')), flags)
    try {
      await docker.#untilReady()
      await docker.#makeImage()
    } catch (error) {
      await docker.close()
      throw error
    }
    return docker
  }

  async #untilReady(): Promise<void> {
    await untilTrue(async () => {
      if (this.#engine.exit !== undefined)
        throw new Error(`dockerd ended\n${this.#engine.stderr.slice(-4_000)}`)
      return (await this.attempt('version')).code === 0
    }, 'dockerd answers')
  }

  /** Node and its libraries are the host's, so there is nothing to load from anywhere. */
  async #makeImage(): Promise<void> {
    const root = join(this.#folder, 'root')
    for (const folder of ['proc', 'sys', 'dev', 'tmp', 'usr', 'etc', 'servers'])
      mkdirSync(join(root, folder), { recursive: true })
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name))
    await attempt(['tar', '-C', root, '-cf', join(this.#folder, 'root.tar'), '.'])
    await this.run('import', join(this.#folder, 'root.tar'), IMAGE)
  }

  attempt(...argv: readonly string[]) {
    return attempt(['docker', '--host', `unix://${this.socket}`, ...argv])
  }

  /** A command of docker's; resolves to its output, rejects unless the exit code is 0. */
  async run(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(...argv)
    if (code !== 0) throw new Error(`docker ${argv.join(' ')}: exit ${code}\n${stderr}`)
    return stdout.trim()
  }

  /** Starts a container with the lab's server in it and resolves when that listens. */
  async start(name: string, { labels = {}, flags = [], ports }: RunOptions = {}): Promise<void> {
    const marks = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
    const mounts = ['/usr:/usr:ro', `${process.execPath}:/node:ro`, `${SERVERS}:/servers:ro`]
    const volumes = mounts.flatMap((mount) => ['--volume', mount])
    const command = ['/node', '/servers/container.mjs', name]
    const listens = JSON.stringify({ http: [8080], udp: [5353], ...ports })
    await this.run(
      'run',
      '--detach',
      '--name',
      name,
      ...marks,
      ...volumes,
      ...flags,
      IMAGE,
      ...command,
      listens,
    )
    await untilTrue(async () => (await this.run('logs', name)).includes('ready'), `${name} listens`)
  }

  /** `docker kill` without the time that its process takes to start. */
  async kill(name: string): Promise<void> {
    const asking = request({
      socketPath: this.socket,
      method: 'POST',
      path: `/containers/${name}/kill`,
    }).end()
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    if (answer.resume().statusCode !== 204) throw new Error(`docker kill ${name}: HTTP ${answer.statusCode}`)
  }

  async close(): Promise<void> {
    this.#engine.kill()
    await this.#engine.exited
    this.#remove()
  }

  /** As `close`, without waiting: for signal handlers. What the kernel has not ended yet is tried again for a while. */
  abandon(): void {
    this.#engine.kill()
    this.#remove()
  }

  #remove(): void {
    openEngines.delete(this)
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    for (const hierarchy of readdirSync(CGROUPS)) removeGroups(join(CGROUPS, hierarchy, this.#cgroup))
    removeGroups(join(CGROUPS, this.#cgroup))
  }
}

/** Before the labs that they are in: those handlers end this process. */
const openEngines = new Set<Docker>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.prependOnceListener(signal, () => {
    for (const engine of openEngines) engine.abandon()
  })

/** A control group is removed from its leaves on; its files go with it. */
function removeGroups(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeGroups(join(path, entry.name))
    rmdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EBUSY') throw error
  }
}
