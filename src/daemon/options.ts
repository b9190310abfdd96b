import type { Config } from '../config/config.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Whether to make routes, rules, sysctls and nft, and to undo them at the end. */
  readonly routes: boolean
  readonly logLevel: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly socketPath: string
  readonly runDir: string
  readonly stateDir: string
  /** The folder that keeps the table; undefined: none does. */
  readonly storePath: string | undefined
  /** Absolute; undefined: the config came from flags. */
  readonly configFile: string | undefined
  /** The pid of the daemon whose place this one takes; undefined: there is none. */
  readonly predecessor: () => Promise<number | undefined>
  /** Reads the config anew; rejects with OnehopError. Undefined: the config came from flags, which do not change. */
  readonly reload: (() => Promise<Config>) | undefined
}
