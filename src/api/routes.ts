import { z } from 'zod'
import { readVersion } from '../version.ts'
import { containerRoutes } from './containers.ts'
import { dropsRoute } from './drops.ts'
import { eventsRoute } from './events.ts'
import { explainPastRoute, explainRoute } from './explain.ts'
import { describeApi, type OpenApi } from './openapi.ts'
import { planRoutes } from './plan.ts'
import { ratesRoute } from './rates.ts'
import { type Route, route } from './route.ts'
import { statusRoute } from './status.ts'
import { tableRoutes } from './table.ts'
import { watchRoutes } from './watch.ts'

/** The document of all that is below. */
export const openApi = (): OpenApi => describeApi(ROUTES, readVersion())

let document: OpenApi | undefined

const documentRoute = route({
  method: 'GET',
  path: '/v1/openapi.json',
  summary: 'This document: OpenAPI 3.1',
  answer: z.looseObject({ openapi: z.literal('3.1.1') }),
  handle: () => {
    document ??= openApi()
    return document
  },
})

/** All that the API answers. */
export const ROUTES: readonly Route[] = [
  statusRoute,
  ...containerRoutes,
  ...tableRoutes,
  explainRoute,
  ...planRoutes,
  explainPastRoute,
  ...watchRoutes,
  ratesRoute,
  dropsRoute,
  eventsRoute,
  documentRoute,
]
