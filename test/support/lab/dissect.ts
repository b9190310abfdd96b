import { run } from './running.ts'

/** tshark looks at checksums only when told to. */
const CHECKED = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`])

const CHECKSUMS = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].map((protocol) => `${protocol}.checksum.status`)

/** One row for each packet that the display filter lets through, with the fields asked for; '' where it has none. */
export async function dissect(
  file: string,
  filter: string,
  fields: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const wanted = fields.flatMap((field) => ['-e', field])
  const text = await run(
    ['tshark', '-n', '-r', file, '-Y', filter, '-T', 'fields', '-E', 'separator=/t', ...CHECKED, ...wanted],
    { timeoutMs: 120_000 },
  )
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** Frame number and summary of every packet with a checksum that tshark finds wrong. */
export const badChecksums = (file: string, filter = 'frame'): Promise<readonly (readonly string[])[]> => {
  const isBad = CHECKSUMS.map((field) => `${field} == "Bad"`).join(' || ')
  return dissect(file, `(${filter}) && (${isBad})`, ['frame.number', '_ws.col.Info'])
}

/** How many packets have a checksum that tshark finds right, by protocol: that it looked at all. */
export async function goodChecksums(file: string): Promise<Readonly<Record<string, number>>> {
  const rows = await dissect(file, 'ip || ipv6', CHECKSUMS)
  const count = (i: number) => rows.filter((row) => row[i]?.split(',')[0] === '1').length
  return Object.fromEntries(CHECKSUMS.map((field, i) => [field.split('.')[0], count(i)]))
}
