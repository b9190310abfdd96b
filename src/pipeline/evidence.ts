import type { Member } from './snapshot.ts'

/** What a decision went by, for whoever asks why: filled in on the way, and not needed for it. */
export interface Evidence {
  /** The pins that were looked at, longest first; the last one decided when it has a member. */
  readonly pins: { readonly length: number; readonly member: Member | undefined }[]
  /** The rows of the candidates' ring that the algorithm looked at; none when it was not asked. */
  rows: readonly number[]
}

export const noEvidence = (): Evidence => ({ pins: [], rows: [] })
