import type { SourceConfig } from '../config/sources.ts'
import { openDns } from './dns.ts'
import { openDocker } from './docker.ts'
import { openKubernetes } from './kubernetes.ts'
import type { OpenSource } from './source.ts'

/** By the kind that a config names. */
const OPENERS: {
  readonly [Kind in SourceConfig['kind']]: OpenSource<Extract<SourceConfig, { kind: Kind }>>
} = {
  docker: openDocker,
  dns: openDns,
  kubernetes: openKubernetes,
}

/** Settings and opener have the same kind, which the compiler cannot see through the lookup. */
export const openSource: OpenSource<SourceConfig> = (settings, listener) =>
  (OPENERS[settings.kind] as OpenSource<SourceConfig>)(settings, listener)
