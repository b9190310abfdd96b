import { type Api, serveApi } from '../../src/api/api.ts'
import type { ApiSource } from '../../src/api/source.ts'

/** The API on a socket, of which no request may be a defect: what a test does not give must not be asked for. */
export const serveSource = (path: string, source: Partial<ApiSource>): Promise<Api> =>
  serveApi(path, source as ApiSource, failTest)

/** Outside of the request, which would only be answered 500. */
function failTest(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
