/** Stops it so that another daemon can go on at once: what stands for clients is left standing. */
export const STOP_FOR_ANOTHER = 'SIGUSR2'
const STOPPING = ['SIGTERM', 'SIGINT', STOP_FOR_ANOTHER] as const

/** Caught from the very start, so that an early one still undoes what has been made. */
export class Signals {
  /** SIGHUP before there is anything to reload is dropped: the config was read a moment ago. */
  onReload: () => void = () => {}
  readonly stop: Promise<NodeJS.Signals>
  readonly #handlers = new Map<NodeJS.Signals, (name: NodeJS.Signals) => void>()

  constructor() {
    this.stop = new Promise((resolve) => {
      for (const name of STOPPING) this.#handlers.set(name, resolve)
    })
    this.#handlers.set('SIGHUP', () => this.onReload())
    for (const [name, handler] of this.#handlers) process.on(name, handler)
  }

  close(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }
}
