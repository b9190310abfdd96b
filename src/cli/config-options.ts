import { type Command, Option } from 'commander'
import type { ServiceFlags } from '../config/flags.ts'

export interface ConfigOptions extends ServiceFlags {
  readonly config?: string
}

/** The options by which a command learns its config: --config FILE, or the flags of the one-service case. */
export const addConfigOptions = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'the config file; or, without one, the flags that follow')
    .option('--tun <name>', 'the TUN interface that onehop makes (default: onehop0)')
    .option('--bridge <name>', "the containers' bridge; repeatable", collect)
    .option('--uplink <name>', "where clients come from; repeatable (default: the default routes')", collect)
    .option('--name <name>', "the service's name (default: service)")
    .option(
      '--service <address:port/protocol>',
      'a public way in: 203.0.113.10:80/tcp, [2001:db8::10]:80/tcp->8080, 203.0.113.10/all; repeatable',
      collect,
    )
    .option(
      '--container <name=address[:port]>',
      'a container: web-1=10.77.0.11:8080, web-1=[fd77::11]:8080 adds its IPv6 address; repeatable',
      collect,
    )
    .option('--docker [socket]', "serve what the labels of Docker's containers say; nothing else is needed")
    .option('--queues <count>', 'TUN queues, one thread each (default: 1)')
    .option('--spin <time>', 'how long a thread looks again before it sleeps, 0 for never (default: 50us)')
    .option('--metrics <address:port>', 'where Prometheus may ask for metrics, such as 127.0.0.1:9464')
    .option('--api <address:port>', 'where the API is served besides the control socket')
    .option('--api-token-file <file>', 'the token that whoever asks there has to bring')
    .option('--api-cert <file>', 'its TLS certificate, PEM; only loopback addresses need none')
    .option('--api-key <file>', 'the key of that, PEM')
    .option('--no-hairpin', 'containers and the host itself do not call the service')
    .addOption(
      new Option(
        '--fastpath <mode>',
        'known sources in the kernel: auto (where that works), off, require (default: auto)',
      ).choices(['auto', 'off', 'require']),
    )
    .option('--self-check <n>', 'recompute the checksums of one packet in so many (default: 0, none)')

/** For an option that may be given more than once. */
export const collect = (value: string, sofar: readonly string[] | undefined): readonly string[] => [
  ...(sofar ?? []),
  value,
]
