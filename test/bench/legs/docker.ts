import { dirname } from 'node:path'
import { Docker } from '../../support/docker/docker.ts'
import { untilTrue } from '../../support/lab/until.ts'
import type { Lab } from '../../support/lab.ts'
import { DATAGRAMS } from '../datagrams.ts'
import type { Leg, StartedLeg } from '../leg.ts'
import type { Server } from '../servers.ts'
import { HOST } from './addresses.ts'

const CONTAINER = 'bench'

/** What `docker run -p` gives: a real Docker Engine in the host's namespace, the servers in a container of its. */
const docker = (name: string, title: string, flags: readonly string[]): Leg => ({
  name,
  title,
  tools: ['dockerd'],
  lab: { containers: 0 },
  bringsContainer: true,
  async start(lab, servers): Promise<StartedLeg> {
    const engine = await Docker.open(lab.host, flags)
    try {
      await engine.run(...runArgv(lab, servers))
      await untilListening(engine, servers)
    } catch (error) {
      await engine.close()
      throw error
    }
    return {
      address: HOST,
      carries: 'tcp and udp',
      inspect: () => engine.run('version', '--format', '{{.Server.Version}}'),
      stop: () => engine.close(),
    }
  },
})

/**
 * The servers as they are elsewhere: the host's programs, no filter of system calls (it costs the servers time, which is not
 * of the way).
 */
function runArgv(lab: Lab, servers: readonly Server[]): readonly string[] {
  const folders = ['/usr', dirname(lab.path('x')), dirname(DATAGRAMS)]
  const published = servers.flatMap(({ port }) => ['tcp', 'udp'].map((of) => `${HOST}:${port}:${port}/${of}`))
  const commands = servers.map((server) => `${server.argv(lab).join(' ')} &`)
  return [
    ...['run', '--detach', '--name', CONTAINER, '--security-opt', 'seccomp=unconfined'],
    ...folders.flatMap((folder) => ['--volume', `${folder}:${folder}:ro`]),
    ...published.flatMap((port) => ['--publish', port]),
    ...['server', '/bin/sh', '-c', `${commands.join(' ')} wait`],
  ]
}

/** docker-proxy listens before anybody does in the container. */
const untilListening = (engine: Docker, servers: readonly Server[]): Promise<void> =>
  untilTrue(async () => {
    const sockets = await engine.run('exec', CONTAINER, 'cat', '/proc/net/tcp', '/proc/net/tcp6')
    return servers.every(({ port }) =>
      new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `).test(sockets),
    )
  }, 'the servers in the container listen')

/** Clients from outside meet the DNAT rules alone; the docker-proxy beside them is for the host's own calls. */
export const dockerLeg = docker('docker', 'docker -p, its DNAT', [])

/** Where Docker is told to leave iptables alone, docker-proxy carries everything. */
export const dockerProxyLeg = docker('docker-proxy', 'docker -p, docker-proxy', [
  '--iptables=false',
  '--ip6tables=false',
])
