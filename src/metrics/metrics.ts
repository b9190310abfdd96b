import type { Status } from '../api/status.ts'
import type { Traffic } from '../dataplane/dataplane.ts'
import { formatMetric, type Sample } from './exposition.ts'

/** What the process itself uses, in seconds and bytes. */
export interface ProcessUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly startedUnixSeconds: number
}

/** Services and containers beyond these have no series of their own: a scrape is read whole by whoever stores it. */
const MOST_SERVICES = 10_000
const MOST_CONTAINERS = 1_000
const MOST_SOURCES = 1_000

const STATES = ['ready', 'draining', 'down'] as const

/** All metrics as Prometheus reads them. Counters count from the daemon's start. */
export function formatMetrics(status: Status, usage: ProcessUsage): string {
  return [
    ...formatDaemon(status, usage),
    ...formatPackets(status),
    ...formatServices(status),
    ...formatContainers(status),
    ...formatSources(status),
    ...formatTable(status),
    ...formatIo(status),
  ].join('')
}

const only = (value: number): readonly Sample[] => [[{}, value]]

const formatDaemon = ({ version }: Status, usage: ProcessUsage): string[] => [
  formatMetric('onehop_build_info', 'gauge', 'Always 1; what runs is in the labels.', [
    [{ version, node: process.versions.node }, 1],
  ]),
  formatMetric(
    'process_cpu_seconds_total',
    'counter',
    'Time on processors, all threads.',
    only(usage.cpuSeconds),
  ),
  formatMetric('process_resident_memory_bytes', 'gauge', 'Memory in use.', only(usage.residentBytes)),
  formatMetric(
    'process_start_time_seconds',
    'gauge',
    'When it started, Unix time.',
    only(usage.startedUnixSeconds),
  ),
]

/** The sum of `onehop_packets_total` over verdicts and reasons is `onehop_received_packets_total`, always. */
function formatPackets({ received, verdicts }: Status): string[] {
  const samples = (count: keyof Traffic) =>
    verdicts.map(({ verdict, reason, [count]: value }): Sample => [{ verdict, reason }, value])
  return [
    formatMetric(
      'onehop_received_packets_total',
      'counter',
      'Packets read from the TUN.',
      only(received.packets),
    ),
    formatMetric('onehop_received_bytes_total', 'counter', 'Bytes of them.', only(received.bytes)),
    formatMetric(
      'onehop_packets_total',
      'counter',
      'Packets by what became of them and why.',
      samples('packets'),
    ),
    formatMetric('onehop_bytes_total', 'counter', 'Bytes of them.', samples('bytes')),
  ]
}

interface Counted {
  readonly name: string
  readonly in: Traffic
  readonly out: Traffic
}

/** `in` is from clients, `out` to them. */
const bothWays = (label: string, counted: readonly Counted[], count: keyof Traffic): readonly Sample[] =>
  counted.flatMap((one) => [
    [{ [label]: one.name, direction: 'in' }, one.in[count]],
    [{ [label]: one.name, direction: 'out' }, one.out[count]],
  ])

function formatSources({ sources, problems }: Status): string[] {
  const of = (value: (source: Status['sources'][number]) => number | undefined) =>
    sources.slice(0, MOST_SOURCES).flatMap((one): Sample[] => {
      const found = value(one)
      return found === undefined ? [] : [[{ source: one.source }, found]]
    })
  return [
    formatMetric(
      'onehop_source_up',
      'gauge',
      'Whether a source of containers answers; while it does not, its last list holds.',
      of(({ state }) => Number(state === 'ok')),
    ),
    formatMetric(
      'onehop_source_containers',
      'gauge',
      'Containers that a source last listed.',
      of(({ containers }) => containers),
    ),
    formatMetric(
      'onehop_source_list_age_seconds',
      'gauge',
      'How long ago a source last gave its list.',
      of(({ lastSeconds }) => lastSeconds),
    ),
    formatMetric('onehop_problems', 'gauge', 'What could not be served as asked.', only(problems.length)),
  ]
}

function formatServices({ services }: Status): string[] {
  const shown = services.slice(0, MOST_SERVICES)
  return [
    formatMetric('onehop_services', 'gauge', 'Services in force.', only(services.length)),
    formatMetric(
      'onehop_service_packets_total',
      'counter',
      'Packets of a service, from (in) and to (out) clients.',
      bothWays('service', shown, 'packets'),
    ),
    formatMetric(
      'onehop_service_bytes_total',
      'counter',
      'Bytes of them.',
      bothWays('service', shown, 'bytes'),
    ),
  ]
}

function formatContainers({ containers }: Status): string[] {
  const shown = containers.slice(0, MOST_CONTAINERS)
  const inState = (state: string) => containers.filter((container) => container.state === state).length
  return [
    formatMetric(
      'onehop_containers',
      'gauge',
      'Containers by state.',
      STATES.map((state) => [{ state }, inState(state)]),
    ),
    formatMetric(
      'onehop_container_state',
      'gauge',
      '1 for the state that a container is in, 0 for the others.',
      shown.flatMap(({ name, state: own }) =>
        STATES.map((state): Sample => [{ container: name, state }, state === own ? 1 : 0]),
      ),
    ),
    formatMetric(
      'onehop_container_packets_total',
      'counter',
      'Packets to (in) and from (out) a container.',
      bothWays('container', shown, 'packets'),
    ),
    formatMetric(
      'onehop_container_bytes_total',
      'counter',
      'Bytes of them.',
      bothWays('container', shown, 'bytes'),
    ),
  ]
}

const formatTable = ({ table }: Status): string[] => [
  formatMetric('onehop_table_entries', 'gauge', 'Sources remembered.', only(table.entries)),
  formatMetric('onehop_table_capacity', 'gauge', 'Sources that can be remembered.', only(table.capacity)),
  formatMetric('onehop_table_probation_total', 'counter', 'Sources put on probation.', only(table.probation)),
  formatMetric(
    'onehop_table_moved_total',
    'counter',
    'Sources moved to another container.',
    only(table.moved),
  ),
  formatMetric(
    'onehop_table_full_total',
    'counter',
    'Sources refused because the table was full.',
    only(table.full),
  ),
  formatMetric(
    'onehop_table_over_quota_total',
    'counter',
    'Sources refused because their service had its quota of them.',
    only(table.overQuota),
  ),
  formatMetric(
    'onehop_table_expired_total',
    'counter',
    'Sources forgotten because they were idle.',
    only(table.expired),
  ),
]

const formatIo = ({ io }: Status): string[] => [
  formatMetric('onehop_queues', 'gauge', 'Packet threads at work.', only(io.queues)),
  formatMetric(
    'onehop_tun_read_errors_total',
    'counter',
    'Reads of the TUN that failed.',
    only(io.tunReadErrors),
  ),
  formatMetric('onehop_writes_total', 'counter', 'Packets written, to a bridge or back into the TUN.', [
    [{ to: 'bridge' }, io.bridgeWrites],
    [{ to: 'tun' }, io.tunWrites],
  ]),
  formatMetric(
    'onehop_joined_datagrams_total',
    'counter',
    'Datagrams that left by the same write as one before them.',
    [[{}, io.joined]],
  ),
  formatMetric('onehop_write_errors_total', 'counter', 'Writes that failed.', [
    [{ to: 'bridge' }, io.bridgeWriteErrors],
    [{ to: 'tun' }, io.tunWriteErrors],
  ]),
  formatMetric(
    'onehop_neighbours',
    'gauge',
    'Container addresses whose neighbour on a bridge is known, of all.',
    [
      [{ state: 'resolved' }, io.neighboursResolved],
      [{ state: 'unresolved' }, io.neighboursWanted - io.neighboursResolved],
    ],
  ),
  formatMetric(
    'onehop_fastpath_interfaces',
    'gauge',
    'Interfaces where the fast path meets packets: uplinks those of requests, ports those of answers.',
    [
      [{ kind: 'uplink' }, io.fastpath.uplinks],
      [{ kind: 'port' }, io.fastpath.ports],
    ],
  ),
  formatMetric(
    'onehop_fastpath_sources',
    'gauge',
    'Sources that the fast path serves, as of some seconds ago.',
    only(io.fastpath.sources),
  ),
  formatMetric(
    'onehop_fastpath_full_total',
    'counter',
    'Times that a source had to stay on the slow path for want of room.',
    only(io.fastpath.full),
  ),
]
