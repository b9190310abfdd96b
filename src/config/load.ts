import { closeSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { OnehopError } from '../errors.ts'
import type { Config } from './config.ts'
import { LARGEST_CONFIG_BYTES } from './defaults.ts'
import { type ConfigDocument, type Fault, readDocument } from './document.ts'
import { configError, formatPath, type Issue } from './issue.ts'
import { withPinFiles } from './pin-file.ts'
import { withSourceFiles } from './source-files.ts'
import { validateConfig } from './validate.ts'

/** Reads and validates a config file. Throws OnehopError E_CONFIG that names every fault's line and column. */
export function loadConfig(path: string): Config {
  return readConfigBytes(readFile(path), path)
}

/** The same from a file's bytes; the files that it names are beside `path`. */
export const readConfigBytes = (bytes: Uint8Array, path: string): Config =>
  withFiles(parseConfig(decode(bytes, path), path), dirname(path))

const withFiles = (config: Config, folder: string): Config =>
  withSourceFiles(withPinFiles(config, folder), folder)

/** A config file's bytes, not more of them than it may have. Throws E_CONFIG. */
export const readConfigFile = (path: string): Uint8Array => readFile(path)

/** The same from text; `fileName` is what errors call it. */
export function parseConfig(text: string, fileName: string): Config {
  if (text.length > LARGEST_CONFIG_BYTES) throw tooLarge(fileName)
  const document = readDocument(text)
  if (isFaults(document)) throw configError(document.map((fault) => formatFault(fault, fileName)))
  const config = validateConfig(document.value)
  if (isIssues(config)) throw configError(formatIssues(config, document, fileName))
  return config
}

const isFaults = (document: ConfigDocument | readonly Fault[]): document is readonly Fault[] =>
  Array.isArray(document)

const isIssues = (config: Config | readonly Issue[]): config is readonly Issue[] => Array.isArray(config)

/** Finding a place is a walk; issues beyond this many are counted but not put in order. */
const MOST_LOCATED = 1_000

/** In the order of the file, whatever order the rules found them in. */
function formatIssues(issues: readonly Issue[], document: ConfigDocument, fileName: string): string[] {
  const lines = issues
    .slice(0, MOST_LOCATED)
    .map(({ path, at, message }) => ({
      place: document.locate(path, at),
      message:
        path.length === 0 ? message : `${formatPath(at === 'key' ? path.slice(0, -1) : path)}: ${message}`,
    }))
    .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
    .map((fault) => formatFault(fault, fileName))
  return [...lines, ...issues.slice(MOST_LOCATED).map(({ message }) => message)]
}

const formatFault = ({ place, message }: Fault, fileName: string): string =>
  `${fileName}:${place.line}:${place.column}: ${message.replace(/^: /, '')}`

function readFile(path: string): Uint8Array {
  try {
    return readBounded(path)
  } catch (cause) {
    if (cause instanceof OnehopError) throw cause
    const { code, syscall } = cause as NodeJS.ErrnoException
    throw new OnehopError('E_CONFIG', `${path}: ${syscall ?? 'read'}: ${code}; expected a config file`, {
      cause,
    })
  }
}

/** Reads on past the size that fstat tells: a pipe has none, and /dev/zero has no end. */
function readBounded(path: string): Uint8Array {
  const file = openSync(path, 'r')
  try {
    const chunks: Buffer[] = []
    let total = 0
    for (;;) {
      const chunk = Buffer.alloc(65_536)
      const length = readSync(file, chunk)
      if (length === 0) return Buffer.concat(chunks, total)
      chunks.push(chunk.subarray(0, length))
      total += length
      if (total > LARGEST_CONFIG_BYTES) throw tooLarge(path)
    }
  } finally {
    closeSync(file)
  }
}

const tooLarge = (fileName: string): OnehopError =>
  configError([
    `${fileName}:1:1: larger than the ${LARGEST_CONFIG_BYTES / 1024 / 1024} MiB a config may have`,
  ])

function decode(bytes: Uint8Array, fileName: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const before = new TextDecoder().decode(bytes).split('\ufffd', 1)[0]!
    const line = before.split('\n').length
    const column = before.length - before.lastIndexOf('\n')
    throw configError([`${fileName}:${line}:${column}: a byte that is not UTF-8; expected UTF-8 text`])
  }
}
