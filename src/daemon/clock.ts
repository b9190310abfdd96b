/** The clock that the data plane counts in: CLOCK_MONOTONIC. */
export const nowSeconds = (): number => process.hrtime()[0]

/** When that clock was 0, by the wall's. */
export const zeroMs = (): number => Date.now() - Number(process.hrtime.bigint() / 1_000_000n)
