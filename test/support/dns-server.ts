import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

/** RFC 1035 section 4.1.1, RFC 2782. */
const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const
export const CODES = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 } as const
const HEADER_BYTES = 12
const IN = 1

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly ttl: number; readonly address: string }
  | {
      readonly type: 'SRV'
      readonly ttl: number
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }

/**
 * A name server on loopback over UDP and TCP, as RFC 1035 has it: a test says what is there. An answer that does not fit
 * 512 bytes goes over UDP truncated and without records, so that it is asked for again over TCP.
 */
export class DnsServer {
  readonly records = new Map<string, readonly DnsRecord[]>()
  code: keyof typeof CODES = 'ok'
  /** `A web.test`, in the order of the questions. */
  readonly asked: string[] = []
  readonly #udp: Socket
  readonly #tcp: Server

  private constructor(udp: Socket, tcp: Server) {
    this.#udp = udp
    this.#tcp = tcp
    udp.on('message', (query, { port, address }) => udp.send(this.#answer(query, 512), port, address))
    tcp.on('connection', (socket) => {
      socket.on('error', () => {})
      socket.once('data', (query: Buffer) => {
        const answer = this.#answer(query.subarray(2), 65_535)
        socket.end(Buffer.concat([u16(answer.length), answer]))
      })
    })
  }

  static async open(): Promise<DnsServer> {
    const tcp = createServer()
    await once(tcp.listen(0, '127.0.0.1'), 'listening')
    const udp = createSocket('udp4')
    await once(udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1'), 'listening')
    return new DnsServer(udp, tcp)
  }

  get address(): string {
    return `127.0.0.1:${(this.#tcp.address() as AddressInfo).port}`
  }

  close(): void {
    this.#udp.close()
    this.#tcp.close()
  }

  #answer(query: Buffer, mostBytes: number): Buffer {
    const { name, type, end } = readQuestion(query)
    this.asked.push(`${type} ${name}`)
    const known = this.records.get(name)
    const code = this.code !== 'ok' ? this.code : known === undefined ? 'nxdomain' : 'ok'
    const records = code === 'ok' ? known!.filter((record) => record.type === type).map(writeRecord) : []
    const whole = message(query, end, CODES[code], records, false)
    return whole.length <= mostBytes ? whole : message(query, end, CODES[code], [], true)
  }
}

function readQuestion(query: Buffer): { name: string; type: keyof typeof TYPES; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const code = query.readUInt16BE(at + 1)
  const type = (Object.keys(TYPES) as (keyof typeof TYPES)[]).find((key) => TYPES[key] === code)!
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 }
}

function message(
  query: Buffer,
  end: number,
  code: number,
  records: readonly Buffer[],
  isCut: boolean,
): Buffer {
  // Response, authoritative, recursion desired and available.
  const flags = 0x8580 | code | (isCut ? 0x0200 : 0)
  const counts = [1, records.length, 0, 0].map(u16)
  return Buffer.concat([
    query.subarray(0, 2),
    u16(flags),
    ...counts,
    query.subarray(HEADER_BYTES, end),
    ...records,
  ])
}

function writeRecord(record: DnsRecord): Buffer {
  const data = writeData(record)
  const ttl = Buffer.alloc(4)
  ttl.writeUInt32BE(record.ttl)
  // The name is the question's.
  return Buffer.concat([
    u16(0xc000 | HEADER_BYTES),
    u16(TYPES[record.type]),
    u16(IN),
    ttl,
    u16(data.length),
    data,
  ])
}

function writeData(record: DnsRecord): Buffer {
  if (record.type === 'SRV')
    return Buffer.concat([
      ...[record.priority, record.weight, record.port].map(u16),
      writeName(record.target),
    ])
  if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number))
  const [head = '', tail = ''] = record.address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const zeros = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0')
  return Buffer.concat(
    [...groups(head), ...zeros, ...groups(tail)].map((group) => u16(Number.parseInt(group, 16))),
  )
}

const writeName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
