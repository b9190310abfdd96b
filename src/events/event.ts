import type { Prefix } from '../address.ts'
import type { Speaker } from '../containers/conditions.ts'
import type { OperatorPinEvent } from '../entries/operator.ts'
import type { TableChange } from '../table/rows.ts'

/** What can happen, by kind; each has a `change` that says what did. */
export const EVENT_TYPES = [
  'container',
  'service',
  'table',
  'pin',
  'config',
  'source',
  'fastpath',
  'link',
  'problem',
  'more',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** At most so many names in a list of an event's. */
export const MOST_NAMES = 20

/** As it goes to whoever reads: all of it are texts and numbers. */
export type EventBody =
  | ContainerEvent
  | {
      readonly type: 'service'
      readonly change: 'added' | 'removed' | 'changed'
      readonly service: string
      /** Which of its settings are others. */
      readonly settings?: readonly string[]
    }
  | TableEvent
  | OperatorPinEvent
  | {
      readonly type: 'config'
      /** `refused`: the one in force stays; `applied`: until the next reload. */
      readonly change: 'started' | 'reloaded' | 'refused' | 'applied'
      readonly services?: number
      readonly error?: string
    }
  | {
      /** Who says which containers there are. */
      readonly type: 'source'
      readonly change: 'answers' | 'fails'
      readonly from: string
      readonly error?: string
    }
  | {
      readonly type: 'fastpath'
      readonly change: 'attached' | 'detached'
      /** Interfaces that clients come from, and ports of containers. */
      readonly uplinks: number
      readonly ports: number
      readonly problem?: string
    }
  | { readonly type: 'link'; readonly change: 'come' | 'gone'; readonly link: string }
  | { readonly type: 'problem'; readonly change: 'arose' | 'over'; readonly problem: string }
  | {
      /** Changes that were not told one by one, by `type change`. */
      readonly type: 'more'
      readonly change: 'left out'
      readonly counts: Readonly<Record<string, number>>
    }

export interface ContainerEvent {
  readonly type: 'container'
  readonly change: 'added' | 'removed' | 'ready' | 'draining' | 'down' | 'weight'
  readonly container: string
  /** That it is in, the first of them. */
  readonly services: readonly string[]
  /** State or weight before. */
  readonly from?: string | number
  readonly weight?: number
  /** Who said so, or took it back; and why. */
  readonly by?: Speaker
  readonly why?: string
}

export interface TableEvent {
  readonly type: 'table'
  readonly change: TableChange
  /** What shares the entry. */
  readonly scope: string
  readonly services: readonly string[]
  readonly source: string
  readonly container?: string
  readonly from?: string
  readonly origin?: string
}

/** Every event has a number higher than all before, and a time not before theirs. */
export type Event = EventBody & { readonly id: number; readonly at: string }

/** Which events somebody wants; undefined: whichever. `more` comes to everybody who wants any that it may stand for. */
export interface EventFilter {
  readonly types: ReadonlySet<string> | undefined
  readonly service: string | undefined
  readonly source: Prefix | undefined
}
