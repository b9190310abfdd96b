/**
 * Does what test/support/lab/program.ts asks over the message channel: `{id, method, argument}` comes in,
 * `{id, result}` or `{id, error: {message, code}}` goes out. Says `ready` when it listens.
 */
export function serveMethods(methods) {
  process.on('message', ({ id, method, argument }) => {
    methods[method](argument).then(
      (result) => process.send({ id, result }),
      ({ message, code }) => process.send({ id, error: { message, code } }),
    )
  })
  process.on('disconnect', () => process.exit())
  console.log('ready')
}
