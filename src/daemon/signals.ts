/** Caught from the very start, so that an early one still undoes what has been made. */
export class Signals {
  /** SIGHUP before there is anything to reload is dropped: the config was read a moment ago. */
  onReload: () => void = () => {}
  readonly stop: Promise<NodeJS.Signals>
  readonly #handlers = new Map<NodeJS.Signals, (name: NodeJS.Signals) => void>()

  constructor() {
    this.stop = new Promise((resolve) => {
      this.#handlers.set('SIGTERM', resolve).set('SIGINT', resolve)
    })
    this.#handlers.set('SIGHUP', () => this.onReload())
    for (const [name, handler] of this.#handlers) process.on(name, handler)
  }

  close(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }
}
