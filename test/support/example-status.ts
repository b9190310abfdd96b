import type { Status } from '../../src/api/status.ts'
import { parseConfig } from '../../src/config/load.ts'
import { buildStatus } from '../../src/daemon/status.ts'
import type { Latency } from '../../src/dataplane/dataplane.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { codeOf } from '../../src/pipeline/outcome.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'

/** Two services that share a container. */
export const EXAMPLE = parseConfig(
  `version: 1
interfaces: {tun: t0, bridges: [br0]}
services:
  - {name: web, addresses: [203.0.113.10, "2001:db8:53::10"], ports: [80/tcp->8080, 53/udp], containers: [{name: a, address: 10.0.0.1, address6: "fd00::1"}], quota: 50}
  - {name: all, addresses: [203.0.113.11], ports: all, containers: [{name: a, address: 10.0.0.1, address6: "fd00::1"}]}
`,
  'c.yaml',
)

/** Ten requests, the slowest of which took longer than the last bound. */
export const exampleLatency = (): Latency => ({
  boundsNs: [1_000, 2_000, 4_000],
  request: { buckets: [0, 5, 4, 1], sumNs: 60_000 },
  answer: { buckets: [0, 0, 0, 0], sumNs: 0 },
  other: { buckets: [0, 0, 0, 0], sumNs: 0 },
})

/** What a daemon says that has forwarded three packets of it. */
export function exampleStatus(): Status {
  const identities = new Identities()
  const [web, a] = [identities.service('web'), identities.container('a')]
  const known = codeOf('forward', 'known')
  const traffic = { packets: 3, bytes: 180 }
  const none = { packets: 0, bytes: 0 }
  const status = buildStatus({
    version: '0.1.0',
    pid: 7,
    upSeconds: 60,
    routes: true,
    origin: { from: 'file', file: '/etc/onehop.yaml' },
    config: EXAMPLE,
    identities,
    counters: {
      received: traffic,
      reasons: REASONS.map((_, code) => (code === known ? traffic : none)),
      services: new Map([[web, { in: traffic, out: none }]]),
      containers: new Map([[a, { in: traffic, out: none }]]),
      table: { entries: 1, capacity: 10, probation: 1, made: 1, moved: 0, full: 0, overQuota: 0, expired: 0 },
      scopes: new Map([[identities.scope('service web'), 40]]),
    },
    store: { state: 'off' },
    decisions: { state: 'off' },
    io: {
      tunReadErrors: 0,
      tunWriteErrors: 0,
      bridgeWrites: 3,
      bridgeWriteErrors: 0,
      tunWrites: 0,
      joined: 0,
      tunEmptied: 2,
      tunQueueLength: 4096,
      tunDropped: 0,
      errors: [],
      neighboursResolved: 1,
      neighboursWanted: 2,
      queues: 1,
      offload: ['tso4'],
      fastpath: { state: 'off', uplinks: 0, ports: 0, sources: 0, full: 0 },
      latency: exampleLatency(),
      selfCheck: { every: 0, checked: 0, wrong: 0 },
    },
    conditions: new Map([['a', { state: 'draining', weight: undefined, by: 'operator' }]]),
    sources: [],
    problems: [],
  })
  return { ...status, services: [...status.services], containers: [...status.containers] }
}
