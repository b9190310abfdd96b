/**
 * Loads a module by its path from this folder. For what a command needs only when it runs: the native addon
 * and the daemon, which `check` and `--help` must do without.
 */
export const loadModule = async (path: string): Promise<Record<string, unknown>> =>
  (await import(path)) as Record<string, unknown>
