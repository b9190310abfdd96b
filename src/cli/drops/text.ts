import type { DropReason, Drops, SelfCheck } from '../../api/drops.ts'
import { oneLine } from '../../config/issue.ts'
import { bytes, count, duration } from '../measures.ts'

/** What is told of most comes first, but for what is wrong with onehop itself. */
export function formatDrops({ reasons, selfCheck }: Drops, nowMs: number, isHex: boolean): string {
  const told = reasons
    .toSorted((a, b) => b.packets - a.packets)
    .map((reason) => formatReason(reason, nowMs, isHex))
  if (selfCheck.last !== undefined) told.unshift(formatWrong(selfCheck, selfCheck.last, nowMs, isHex))
  return told.length === 0 ? 'Nothing has been dropped or refused.\n' : told.join('\n')
}

const secondsAgo = (time: string, nowMs: number): string =>
  duration(Math.max(0, Math.round((nowMs - Date.parse(time)) / 1000)))

function formatWrong(
  { checked, wrong }: SelfCheck,
  last: NonNullable<SelfCheck['last']>,
  nowMs: number,
  isHex: boolean,
): string {
  const { time, fault, verdict, reason, arrived, left } = last
  const names = [last.service, last.container].filter((name) => name !== undefined).map(oneLine)
  return [
    `self-check: ${wrong} of ${count(checked, 'packet')} left with a checksum they did not come with, the last ${secondsAgo(time, nowMs)} ago`,
    `  ${[verdict, reason, ...names].join(' ')}: the ${fault} checksum is wrong in another way than it was`,
    `  arrived: ${arrived.packet}`,
    ...(isHex ? hexLines(arrived.bytes) : []),
    `  left: ${left.packet}`,
    ...(isHex ? hexLines(left.bytes) : []),
    "  That is a defect of onehop's own, or of this host's memory: report it, with onehop drops -w FILE.",
    '',
  ].join('\n')
}

function formatReason(drop: DropReason, nowMs: number, isHex: boolean): string {
  const { verdict, reason, packets, perSecond, meaning, remedy, last } = drop
  const counted = `${count(packets, 'packet')}, ${bytes(drop.bytes)}, ${perSecond} a second`
  return [
    `${verdict} ${reason}: ${counted}, the last ${secondsAgo(last.time, nowMs)} ago`,
    `  ${last.packet}${WHENCE[last.direction]}${last.service === undefined ? '' : `, service ${oneLine(last.service)}`}`,
    `  ${meaning} ${remedy}`,
    ...(isHex ? hexLines(last.bytes) : []),
    '',
  ].join('\n')
}

const WHENCE = { request: ', to a public address', answer: '', none: '' } as const

const BYTES_A_LINE = 16

/** As text2pcap reads it. */
function hexLines(hex: string): readonly string[] {
  const octets = hex.match(/../g) ?? []
  const starts = Array.from({ length: Math.ceil(octets.length / BYTES_A_LINE) }, (_, i) => i * BYTES_A_LINE)
  return starts.map((start) => {
    const line = octets.slice(start, start + BYTES_A_LINE).join(' ')
    return `  ${start.toString(16).padStart(6, '0')}  ${line}`
  })
}
