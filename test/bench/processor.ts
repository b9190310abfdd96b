import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Control groups, version 1: all tasks' time to the nanosecond, which the ticks of /proc/stat only sample. */
const ACCOUNT = '/sys/fs/cgroup/cpuacct/cpuacct.usage'
/** USER_HZ, fixed for programs (time(7)). */
const MICROSECONDS_A_TICK = 10_000

/** What all processors together have worked since the machine started. */
export function processorMicroseconds(): number {
  if (existsSync(ACCOUNT)) return Number(readFileSync(ACCOUNT, 'utf8')) / 1_000
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = /^cpu +(.*)$/m
    .exec(readFileSync('/proc/stat', 'utf8'))![1]!
    .split(' ')
    .map(Number)
  return (user + nice + system + irq + softirq) * MICROSECONDS_A_TICK
}

/** A process and all that came from it and still lives. */
export function processTree(root: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(/\) . (\d+)/.exec(read(`/proc/${name}/stat`))?.[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const treeOf = (pid: number): readonly number[] => [pid, ...(children.get(pid) ?? []).flatMap(treeOf)]
  return treeOf(root)
}

/** Of all their threads, to the nanosecond (/proc/PID/task/TID/schedstat). */
export const processorMsOf = (pids: readonly number[]): number =>
  sum(
    pids.flatMap((pid) =>
      threadsOf(pid).map(
        (thread) => Number.parseInt(read(`/proc/${pid}/task/${thread}/schedstat`), 10) / 1e6,
      ),
    ),
  )

/** Processes of one program have its file's pages in common, which are in memory once. */
export function residentBytesOf(pids: readonly number[]): number {
  const statuses = pids.map((pid) => read(`/proc/${pid}/status`))
  const of = (part: string) =>
    statuses.map((text) => Number(new RegExp(`^Rss${part}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1_024)
  return sum(of('Anon')) + sum(of('Shmem')) + Math.max(0, ...of('File'))
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Nothing where it has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '0'
  }
}
