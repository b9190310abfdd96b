import type { Address } from '../address.ts'
import type { State } from '../containers/conditions.ts'

/** What a source knows of one container. */
export interface Discovered {
  /** Stands for one container everywhere: letters, digits and `._:/@-`, at most 253. */
  readonly name: string
  readonly address?: Address | undefined
  readonly address6?: Address | undefined
  /** Where it listens, when that is not the service's target. */
  readonly port?: number | undefined
  /** 0–256; 1 unless said. */
  readonly weight?: number | undefined
  readonly state: State
  /** The bridge of this host that it is plugged into, when the source knows. */
  readonly bridge?: string | undefined
}

/** All that a source knows at once. */
export interface Listing<Item = Discovered> {
  readonly items: readonly Item[]
  /** What was left out of it and why, one line each. */
  readonly problems: readonly string[]
}

/** Whom a source tells. Nothing may be told any more after `close`. */
export interface SourceListener<Item = Discovered> {
  /** The whole list, each time it may have changed. */
  list(listing: Listing<Item>): void
  /** Why there is no list now: the last one holds. The source goes on trying by itself. */
  fail(message: string): void
}

/** A source at work. */
export interface Source {
  close(): void
}

/** Opens a source and returns at once; what it finds comes through the listener. */
export type OpenSource<Settings, Item = Discovered> = (
  settings: Settings,
  listener: SourceListener<Item>,
) => Source

/** More than this of one source is no list but a fault: it is cut, and a problem says so. */
export const MOST_ITEMS = 4_096
