import type { DropReason, Drops } from '../../api/drops.ts'
import { oneLine } from '../../config/issue.ts'
import { bytes, count, duration } from '../measures.ts'

/** What is told of most comes first. */
export function formatDrops({ reasons }: Drops, nowMs: number, isHex: boolean): string {
  if (reasons.length === 0) return 'Nothing has been dropped or refused.\n'
  return reasons
    .toSorted((a, b) => b.packets - a.packets)
    .map((reason) => formatReason(reason, nowMs, isHex))
    .join('\n')
}

function formatReason(drop: DropReason, nowMs: number, isHex: boolean): string {
  const { verdict, reason, packets, perSecond, meaning, remedy, last } = drop
  const ago = Math.max(0, Math.round((nowMs - Date.parse(last.time)) / 1000))
  const counted = `${count(packets, 'packet')}, ${bytes(drop.bytes)}, ${perSecond} a second`
  return [
    `${verdict} ${reason}: ${counted}, the last ${duration(ago)} ago`,
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
