import type { LiveStatus } from '../api/status.ts'
import type { State } from '../containers/conditions.ts'
import type { Latency, Traffic } from '../dataplane/dataplane.ts'
import { escapeValue, formatHistogram, formatLines, formatMetric, type Sample } from './exposition.ts'

/** What the process itself uses, in seconds and bytes. */
export interface ProcessUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly startedUnixSeconds: number
}

/** What the daemon says of itself, and what it counts of each: of that only the first are read. */
export interface Measured {
  readonly status: Omit<LiveStatus, 'services' | 'containers'>
  readonly services: Many<Counted>
  readonly containers: Many<Counted & { readonly state: State }> & {
    readonly inState: Readonly<Record<State, number>>
    /** Those that are down because they turned down too often. */
    readonly flapping: number
  }
  readonly latency: Latency
}

export interface Many<One> {
  readonly count: number
  readonly all: Iterable<One>
}

export interface Counted {
  readonly name: string
  readonly in: Traffic
  readonly out: Traffic
}

/** Services and containers beyond these have no series of their own: a scrape is read whole by whoever stores it. */
const MOST_SERVICES = 10_000
const MOST_CONTAINERS = 1_000
const MOST_SOURCES = 1_000

const DIRECTIONS = ['in', 'out'] as const
const STATES = ['ready', 'draining', 'down'] as const

/** All metrics as Prometheus reads them. Counters count from the daemon's start. */
export function formatMetrics(measured: Measured, usage: ProcessUsage): string {
  const { status } = measured
  return [
    ...formatDaemon(status, usage),
    ...formatPackets(status),
    ...formatServices(measured),
    ...formatContainers(measured),
    ...formatSources(status),
    ...formatTable(status),
    ...formatDisk(status),
    ...formatIo(status),
    ...formatSelfCheck(status),
    formatLatency(measured.latency),
  ].join('')
}

const only = (value: number): readonly Sample[] => [[{}, value]]

const formatDaemon = ({ version }: Measured['status'], usage: ProcessUsage): string[] => [
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
function formatPackets({ received, verdicts }: Measured['status']): string[] {
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

/** Lines of the first ones: `in` is from clients, `out` to them. */
function formatCounted(kind: string, what: string, { all }: Many<Counted>, most: number): string[] {
  const packets: string[] = []
  const bytes: string[] = []
  for (const one of first(all, most))
    for (const direction of DIRECTIONS) {
      const labels = `{${kind}="${escapeValue(one.name)}",direction="${direction}"}`
      packets.push(`onehop_${kind}_packets_total${labels} ${one[direction].packets}\n`)
      bytes.push(`onehop_${kind}_bytes_total${labels} ${one[direction].bytes}\n`)
    }
  return [
    formatLines(`onehop_${kind}_packets_total`, 'counter', what, packets),
    formatLines(`onehop_${kind}_bytes_total`, 'counter', 'Bytes of them.', bytes),
  ]
}

function* first<One>(all: Iterable<One>, most: number): Generator<One> {
  let count = 0
  for (const one of all) {
    if (++count > most) return
    yield one
  }
}

function formatSources({ sources, problems }: Measured['status']): string[] {
  const of = (value: (source: Measured['status']['sources'][number]) => number | undefined) =>
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

const formatServices = ({ services }: Measured): string[] => [
  formatMetric('onehop_services', 'gauge', 'Services in force.', only(services.count)),
  ...formatCounted(
    'service',
    'Packets of a service, from (in) and to (out) clients.',
    services,
    MOST_SERVICES,
  ),
]

const formatContainers = ({ containers }: Measured): string[] => [
  formatMetric(
    'onehop_containers',
    'gauge',
    'Containers by state.',
    STATES.map((state) => [{ state }, containers.inState[state]]),
  ),
  formatMetric(
    'onehop_flapping_containers',
    'gauge',
    'Containers held back because they turned down too often.',
    only(containers.flapping),
  ),
  formatMetric(
    'onehop_container_state',
    'gauge',
    '1 for the state that a container is in, 0 for the others.',
    [...first(containers.all, MOST_CONTAINERS)].flatMap(({ name, state: own }) =>
      STATES.map((state): Sample => [{ container: name, state }, state === own ? 1 : 0]),
    ),
  ),
  ...formatCounted('container', 'Packets to (in) and from (out) a container.', containers, MOST_CONTAINERS),
]

const formatTable = ({ table }: Measured['status']): string[] => [
  formatMetric('onehop_table_entries', 'gauge', 'Sources remembered.', only(table.entries)),
  formatMetric('onehop_table_capacity', 'gauge', 'Sources that can be remembered.', only(table.capacity)),
  formatMetric('onehop_table_probation_total', 'counter', 'Sources put on probation.', only(table.probation)),
  formatMetric(
    'onehop_table_made_total',
    'counter',
    'Sources remembered anew for what they sent.',
    only(table.made),
  ),
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

const formatIo = ({ io }: Measured['status']): string[] => [
  formatMetric('onehop_queues', 'gauge', 'Packet threads at work.', only(io.queues)),
  formatMetric(
    'onehop_tun_queue_packets',
    'gauge',
    'Packets that fit into each queue of the TUN; how many wait there the kernel does not tell.',
    only(io.tunQueueLength),
  ),
  formatMetric(
    'onehop_tun_emptied_total',
    'counter',
    'Times that a packet thread found its queue of the TUN empty: while none does, packets wait.',
    only(io.tunEmptied),
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
  formatMetric(
    'onehop_tun_dropped_total',
    'counter',
    'Packets for the TUN that the kernel dropped: its queue was full, or nobody read it.',
    only(io.tunDropped),
  ),
  formatMetric(
    'onehop_io_errors_total',
    'counter',
    'Reads and writes of packets that failed, by the name of errno; a packet each, but for reads.',
    errorSamples(io),
  ),
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

/** Those that losses usually show by are there from the start, so that a rate has a beginning. */
const USUAL_ERRORS = [
  { call: 'read TUN', error: 'EIO' },
  { call: 'write TUN', error: 'EIO' },
  { call: 'write bridge', error: 'ENOBUFS' },
] as const

function errorSamples({ errors }: Measured['status']['io']): readonly Sample[] {
  const unseen = USUAL_ERRORS.filter(
    ({ call, error }) => !errors.some((seen) => seen.call === call && seen.error === error),
  )
  return [
    ...errors.map(({ count, ...labels }): Sample => [labels, count]),
    ...unseen.map((labels): Sample => [labels, 0]),
  ]
}

/** What is off has none. */
const formatDisk = ({ store, decisions }: Measured['status']): string[] => [
  formatMetric(
    'onehop_store_up',
    'gauge',
    'Whether the store takes what the table remembers.',
    store.state === 'off' ? [] : only(Number(store.state === 'current')),
  ),
  formatMetric(
    'onehop_decision_log_up',
    'gauge',
    'Whether the log of decisions is written.',
    decisions.state === 'off' ? [] : only(Number(decisions.state === 'current')),
  ),
  formatMetric(
    'onehop_decision_log_lost_total',
    'counter',
    'Changes that could not be logged.',
    decisions.state === 'off' ? [] : only(decisions.lost),
  ),
]

const formatSelfCheck = ({ io: { selfCheck } }: Measured['status']): string[] => [
  formatMetric(
    'onehop_self_checked_packets_total',
    'counter',
    'Packets whose checksums were recomputed.',
    only(selfCheck.checked),
  ),
  formatMetric(
    'onehop_self_check_wrong_packets_total',
    'counter',
    'Those of them that left with a checksum they did not come with.',
    only(selfCheck.wrong),
  ),
]

const formatLatency = ({ boundsNs, ...directions }: Latency): string =>
  formatHistogram(
    'onehop_packet_seconds',
    "From a packet's read to its write, of one in 64 on the slow path.",
    boundsNs.map((ns) => ns / 1e9),
    Object.entries(directions).map(([direction, { buckets, sumNs }]) => ({
      labels: { direction },
      buckets,
      sum: sumNs / 1e9,
    })),
  )
