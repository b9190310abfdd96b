import { z } from 'zod'

/** What answers are made of. */

export const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).readonly()

/** A whole number from 0 on. */
export const count = z.int().min(0)

export const texts = listOf(z.string())

export const traffic = z.object({ packets: count, bytes: count }).meta({ id: 'Traffic' })

export const bothWays = { in: traffic.describe('Requests'), out: traffic.describe('Answers') }

export const containerState = z.enum(['ready', 'draining', 'down']).meta({
  id: 'ContainerState',
  description: 'ready takes new sources, draining keeps those it has, down takes none',
})
