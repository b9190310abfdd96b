import { oneLine } from '../config/issue.ts'

type Mapping = Readonly<Record<string, unknown>>

/**
 * Plain values as text for people: a mapping's own values line by line, then a section for each mapping in it
 * and a table for each list of mappings.
 */
export function formatSections(value: unknown): string {
  if (!isMapping(value)) return `${formatCell(value)}\n`
  const entries = Object.entries(value)
  const plain = entries.filter(([, part]) => !isSection(part))
  const sections = entries.filter(([, part]) => isSection(part))
  return [
    ...(plain.length > 0 ? [formatRows(plain.map(([key, part]) => [key, formatCell(part)]))] : []),
    ...sections.map(([key, part]) => `${oneLine(key)}\n${indent(formatSection(part))}`),
  ].join('\n')
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSection = (value: unknown): boolean =>
  isMapping(value) || (Array.isArray(value) && value.length > 0 && value.every(isMapping))

const formatSection = (part: unknown): string =>
  Array.isArray(part) ? formatTable(part.map(flatten)) : formatRows(Object.entries(flatten(part as Mapping)))

/** `{in: {packets: 1}}` becomes `{'in packets': '1'}`. */
function flatten(value: Mapping): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [key, part] of Object.entries(value))
    if (isMapping(part))
      for (const [inner, cell] of Object.entries(flatten(part))) flat[`${oneLine(key)} ${inner}`] = cell
    else flat[oneLine(key)] = formatCell(part)
  return flat
}

function formatCell(value: unknown): string {
  if (Array.isArray(value))
    return value.map((part) => (isMapping(part) ? summary(part) : formatCell(part))).join(', ')
  return value === null || value === undefined ? '-' : oneLine(String(value))
}

/** A mapping inside a table's cell: its name will do when it has one. */
const summary = (value: Mapping): string =>
  'name' in value ? formatCell(value.name) : Object.values(flatten(value)).join(' ')

function formatTable(rows: readonly Readonly<Record<string, string>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return formatRows([columns, ...rows.map((row) => columns.map((column) => row[column] ?? '-'))])
}

/** Columns as wide as their widest cell, numbers to the right. */
export function formatRows(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const format = (row: readonly string[]) =>
    row
      .map((cell, i) => (/^\d+$/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
  return rows.map((row) => `${format(row).trimEnd()}\n`).join('')
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ')
