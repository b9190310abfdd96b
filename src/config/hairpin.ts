import {
  comparePrefixes,
  covers,
  distinctPrefixes,
  formatAddress,
  formatPrefix,
  isAddress4,
  joinAddresses,
  type Prefix,
} from '../address.ts'
import type { HairpinConfig } from './config.ts'

/** A local source that cannot have an alias of its own. */
export interface AliasProblem {
  readonly source: Prefix
  /** What is wrong, and what was expected. */
  readonly message: string
}

/** What keeps local sources from having one alias each; empty: nothing does. */
export function aliasProblems(hairpin: HairpinConfig, sources: readonly Prefix[]): readonly AliasProblem[] {
  const distinct = distinctPrefixes(sources)
  const unfit = distinct.flatMap((source) => unfitSource(source, aliasOf(hairpin, source)))
  return unfit.length > 0 ? unfit : collisions(hairpin, distinct)
}

interface Alias extends Prefix {
  /** Its key in the config. */
  readonly key: 'hairpin.alias4' | 'hairpin.alias6'
}

/** The alias prefix of the family that an address or prefix is of. */
export const aliasOf = ({ alias4, alias6 }: HairpinConfig, { address }: Pick<Prefix, 'address'>): Alias =>
  isAddress4(address) ? { ...alias4, key: 'hairpin.alias4' } : { ...alias6, key: 'hairpin.alias6' }

function unfitSource(source: Prefix, alias: Alias): readonly AliasProblem[] {
  const message = unfitness(source, alias)
  return message === undefined ? [] : [{ source, message: `local source ${formatPrefix(source)} ${message}` }]
}

function unfitness(source: Prefix, alias: Alias): string | undefined {
  if (covers(alias, source.address) || covers(source, alias.address))
    return `overlaps ${alias.key} ${formatPrefix(alias)}; expected an alias prefix that nobody uses`
  if (source.length < alias.length)
    return `is larger than ${alias.key} ${formatPrefix(alias)}; expected /${alias.length} or longer, or a shorter alias prefix`
  return undefined
}

/** Neighbours in order are enough to look at: a prefix stands before those it covers, and distinct ones cover none. */
function collisions(hairpin: HairpinConfig, sources: readonly Prefix[]): readonly AliasProblem[] {
  const images = sources
    .map((source) => {
      const { address, length, key } = aliasOf(hairpin, source)
      return { source, key, address: joinAddresses(address, length, source.address), length: source.length }
    })
    .sort(comparePrefixes)
  let widest = images[0]
  return images.slice(1).flatMap((image) => {
    if (widest === undefined || !covers(widest, image.address)) {
      widest = image
      return []
    }
    const pair = `local sources ${formatPrefix(widest.source)} and ${formatPrefix(image.source)}`
    const message = `${pair} have an alias in common (${formatAddress(image.address)}); expected a shorter ${image.key}, or hairpin.sources with only one of them`
    return [{ source: image.source, message }]
  })
}
