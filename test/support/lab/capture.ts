import type { Namespace } from './namespace.ts'
import type { Running } from './running.ts'
import { untilTrue } from './until.ts'

/** tcpdump prints these on SIGUSR1 and at its end. */
const COUNTS =
  /(\d+) packets? captured(?:, |\n)(\d+) packets? received by filter(?:, |\n)(\d+) packets? dropped/g

/** tcpdump at work on one interface. */
export class Capture {
  readonly #tcpdump: Running

  private constructor(
    tcpdump: Running,
    readonly file: string,
  ) {
    this.#tcpdump = tcpdump
  }

  /** Resolves when it is capturing. `filter` is one of pcap-filter(7). */
  static async start(
    namespace: Namespace,
    interfaceName: string,
    file: string,
    filter: string,
  ): Promise<Capture> {
    // No --immediate-mode: its ring holds 64 packets of any size, this one as many as fit 32 MB.
    const argv = ['tcpdump', '-i', interfaceName, '-U', '-n', '-Z', 'root', '-B', '32768']
    const tcpdump = namespace.start([...argv, '-w', file, ...(filter ? [filter] : [])])
    await tcpdump.until(({ stderr }) => stderr.includes('listening on'), 'capturing')
    return new Capture(tcpdump, file)
  }

  /** Ends it when it has written all that the kernel had for it; rejects if the kernel had to drop some. */
  async stop(): Promise<void> {
    await untilTrue(() => this.#isDrained(), `${this.#tcpdump.command}: all written`)
    await this.#tcpdump.stop('SIGINT')
    const [, , dropped] = this.#counts().at(-1) ?? []
    if (dropped !== 0) throw new Error(`${this.#tcpdump.command}: ${dropped} packets dropped by the kernel`)
  }

  async #isDrained(): Promise<boolean> {
    const asked = this.#counts().length
    this.#tcpdump.signal('SIGUSR1')
    await this.#tcpdump.until(() => this.#counts().length > asked, 'counted')
    const [captured = 0, received, dropped = 0] = this.#counts().at(-1) ?? []
    return captured + dropped === received
  }

  #counts(): number[][] {
    return [...this.#tcpdump.stderr.matchAll(COUNTS)].map(([, ...numbers]) => numbers.map(Number))
  }
}
