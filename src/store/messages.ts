/** What the daemon asks of the store's process, one thing at a time, and what that answers. */
export type Request =
  | { readonly kind: 'read' }
  | { readonly kind: 'begin'; readonly isAfresh: boolean }
  | { readonly kind: 'append'; readonly record: Uint8Array }
  | { readonly kind: 'complete' }

export type Answer =
  /** Any number of them, then `done`. Only to `read`. */
  | { readonly kind: 'record'; readonly record: Uint8Array }
  | { readonly kind: 'done' }
  /** `isFault`: a file cannot be read for what it holds. The process ends itself. */
  | { readonly kind: 'failed'; readonly message: string; readonly isFault: boolean }
