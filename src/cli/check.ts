import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { type CliContext, print } from './context.ts'

const EXAMPLES = `
Examples:
  onehop check /etc/onehop.yaml
  onehop check new.yaml && systemctl reload onehop

Exits with 2 when the file is wrong, with every fault's line and column.`

export function addCheckCommand(program: Command, context: CliContext): void {
  program
    .command('check')
    .description('say whether a config file is right')
    .argument('<file>', 'the config file')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string) => {
      const { services } = loadConfig(file)
      const addresses = new Set(services.flatMap((service) => service.addresses))
      const containers = new Set(services.flatMap((service) => service.containers.map(({ name }) => name)))
      const counts = [
        count(services.length, 'service', 'services'),
        count(addresses.size, 'public address', 'public addresses'),
        count(containers.size, 'container', 'containers'),
      ]
      await print(context.stdout, `${file}: ok, ${counts.join(', ')}\n`)
    })
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`
