import type { Config } from '../config/config.ts'
import { configFromFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { OnehopError } from '../errors.ts'
import type { ConfigOptions } from './config-options.ts'

export interface ReadConfig {
  readonly config: Config
  readonly configPath: string | undefined
}

const SERVICE_FLAGS = [
  'tun',
  'bridge',
  'uplink',
  'name',
  'service',
  'container',
  'queues',
  'spin',
  'metrics',
  'api',
  'apiTokenFile',
  'apiCert',
  'apiKey',
  'docker',
  'fastpath',
  'selfCheck',
] as const

/** The config that the options name. Throws OnehopError when they contradict each other or the config is wrong. */
export function readConfig(options: ConfigOptions): ReadConfig {
  if (options.config === undefined) return { config: configFromFlags(options), configPath: undefined }
  const flags: string[] = SERVICE_FLAGS.filter((flag) => options[flag] !== undefined)
  if (options.hairpin === false) flags.push('no-hairpin')
  if (flags.length > 0)
    throw new OnehopError(
      'E_USAGE',
      `--config ${options.config} and --${flags.join(', --')} together; expected either the file or the flags`,
    )
  return { config: loadConfig(options.config), configPath: options.config }
}
