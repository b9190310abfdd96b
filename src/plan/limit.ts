import type { Clients } from './plan.ts'

/** How many known clients may move: so many, or such a part of them. */
export type Limit = { readonly clients: number } | { readonly share: number }

export const LIMIT = 'a number of clients such as 100, or a share of them such as 5%'

/** `100`, `5%` or `0.5%`; undefined for anything else. */
export function parseLimit(text: string): Limit | undefined {
  const [, digits, percent] = /^([0-9]{1,10}(?:\.[0-9]{1,3})?)(%?)$/.exec(text) ?? []
  if (digits === undefined) return undefined
  if (percent === '') return digits.includes('.') ? undefined : { clients: Number(digits) }
  return Number(digits) > 100 ? undefined : { share: Number(digits) / 100 }
}

export const isWithin = ({ known, moved }: Clients, limit: Limit | undefined): boolean => {
  if (limit === undefined) return true
  return 'clients' in limit ? moved <= limit.clients : moved <= known * limit.share
}
