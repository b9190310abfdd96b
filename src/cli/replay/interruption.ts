/** SIGINT and SIGTERM end a replay between packets, so that no partial file stays behind. */
export class Interruption {
  exitCode: number | undefined
  readonly #interrupt = () => {
    this.exitCode = 130
  }
  readonly #terminate = () => {
    this.exitCode = 143
  }

  constructor() {
    process.on('SIGINT', this.#interrupt)
    process.on('SIGTERM', this.#terminate)
  }

  close(): void {
    process.off('SIGINT', this.#interrupt)
    process.off('SIGTERM', this.#terminate)
  }
}
