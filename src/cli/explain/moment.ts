import { parseDurationUs } from '../../config/duration.ts'
import { quoteValue } from '../../config/issue.ts'
import { OnehopError } from '../../errors.ts'

/** `14:03` and `14:03:05` today, `-15m`, or ISO 8601; without a zone that of the machine. Throws E_USAGE, also for what is yet to come. */
export function readMoment(text: string, nowMs: number): number {
  const ms = momentOf(text, nowMs)
  if (ms === undefined || !Number.isFinite(ms))
    throw new OnehopError(
      'E_USAGE',
      `--at ${quoteValue(text)}; expected 14:03, 14:03:05, -15m or 2026-11-25T14:03:05Z`,
    )
  if (ms > nowMs)
    throw new OnehopError(
      'E_USAGE',
      `--at ${quoteValue(text)} is ${new Date(ms).toISOString()}; expected a moment that is past`,
    )
  return ms
}

function momentOf(text: string, nowMs: number): number | undefined {
  if (text.startsWith('-')) {
    const us = parseDurationUs(text.slice(1))
    return us === undefined ? undefined : nowMs - us / 1_000
  }
  const [, hour, minute, second = '0'] = /^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/.exec(text) ?? []
  if (hour !== undefined) {
    const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
    return isTime ? new Date(nowMs).setHours(Number(hour), Number(minute), Number(second), 0) : undefined
  }
  return /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})?$/.test(text)
    ? Date.parse(text)
    : undefined
}
