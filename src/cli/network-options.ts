import { type Command, Option } from 'commander'
import type { ConfigOptions } from './config-options.ts'

export interface RunDirOptions {
  readonly runDir: string
}

/** For whatever makes, undoes or looks at the network set-up. */
export const addRunDirOption = (command: Command): Command =>
  command.addOption(
    new Option('--run-dir <path>', 'where it is remembered what sysctls were').default('/run/onehop'),
  )

/** Whether the options name a config: --tun alone only says which set-up is meant. */
export const isConfigGiven = ({ config, service, container, bridge, docker }: ConfigOptions): boolean =>
  [config, service, container, bridge, docker].some((option) => option !== undefined)
