import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import test from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')

type Allowed = Readonly<Record<string, readonly string[]>>

/** What a folder's files may import besides the folder itself. A file at the top is a folder of its own. */
const TYPESCRIPT: Allowed = {
  address: [],
  difference: [],
  errors: [],
  'prefix-table': ['address'],
  packet: ['address', 'errors'],
  table: ['address', 'packet'],
  pipeline: ['address', 'packet', 'prefix-table', 'table'],
  config: ['address', 'errors', 'prefix-table'],
  discovery: ['address', 'config', 'containers', 'errors'],
  containers: ['address', 'config', 'difference', 'errors'],
  scope: ['address', 'config', 'pipeline'],
  'each-container': ['config', 'pipeline'],
  compile: ['address', 'config', 'containers', 'packet', 'pipeline', 'prefix-table', 'scope', 'table'],
  decisions: ['address', 'containers', 'entries', 'errors', 'scope', 'table'],
  events: ['address', 'config', 'containers', 'entries', 'errors', 'pipeline', 'scope', 'table'],
  entries: ['address', 'config', 'errors', 'pins', 'pipeline', 'scope', 'table'],
  pins: ['address', 'config', 'difference', 'errors'],
  explain: [
    'address',
    'config',
    'containers',
    'entries',
    'errors',
    'packet',
    'pipeline',
    'prefix-table',
    'scope',
    'table',
  ],
  store: ['entries', 'scope', 'table'],
  drops: ['api', 'dataplane', 'errors', 'packet', 'pipeline'],
  dataplane: ['address', 'difference', 'errors', 'packet', 'pipeline', 'prefix-table', 'table'],
  plan: ['address', 'config', 'containers', 'dataplane', 'entries', 'errors', 'explain', 'pipeline', 'table'],
  watch: ['address', 'config', 'dataplane', 'errors', 'packet', 'pins', 'pipeline'],
}

const NATIVE: Allowed = {
  packet: [],
  table: ['packet'],
  pipeline: ['packet', 'table'],
  watch: ['packet', 'pipeline', 'table'],
  io: ['packet', 'pipeline', 'table', 'watch'],
  fastpath: ['bpf', 'io', 'packet', 'pipeline', 'table', 'watch'],
  addon: ['fastpath', 'io', 'packet', 'pipeline', 'table', 'watch'],
}

/** The same arguments give the same result anywhere: neither modules of Node nor packages. */
const PURE = [
  'address',
  'difference',
  'prefix-table',
  'packet',
  'table',
  'pipeline',
  'scope',
  'compile',
  'explain',
  'plan',
]

/** Headers that ask the kernel for more than memory: devices, threads, clocks, randomness, files. */
const SYSTEM_HEADER =
  /^(sys|net|netinet|arpa|linux|bpf)\/|^(unistd|fcntl|poll|pthread|errno|signal|time)\.h$|^(thread|mutex|chrono|random|iostream|fstream|filesystem)$/

interface Import {
  /** From the project's root. */
  readonly file: string
  readonly folder: string
  /** As written: a path from `file`, or the name of a module or a header. */
  readonly target: string
  /** The folder that `target` lies in, when it is one of ours. */
  readonly targetFolder: string | undefined
}

const typescript = importsUnder('src', /\.ts$/, /(?:from|import)\s*\(?\s*'([^']+)'/g)
const native = importsUnder('native/src', /\.(h|cc)$/, /^\s*#\s*include\s+["<]([^">]+)[">]/gm)

test('the imports of both languages are found, and most of them lead to files of ours', () => {
  for (const imports of [typescript, native]) {
    const own = imports.filter(({ targetFolder }) => targetFolder !== undefined)
    assert.ok(own.length > 60, `only ${own.length} of ${imports.length}`)
  }
})

test('TypeScript imports go one way', () => {
  assert.deepEqual(breachesOf(typescript, TYPESCRIPT), [])
})

test('C++ includes go one way', () => {
  assert.deepEqual(breachesOf(native, NATIVE), [])
})

test('address, packet, table, pipeline and compile use no module of Node and no package', () => {
  const foreign = typescript.filter(
    ({ folder, targetFolder }) => PURE.includes(folder) && targetFolder === undefined,
  )
  assert.deepEqual(foreign.map(describe), [])
})

test('only io, fastpath and the addon include headers of the system', () => {
  const system = native.filter(({ target }) => SYSTEM_HEADER.test(target))
  const mayNot = system.filter(({ folder }) => !['io', 'fastpath', 'addon'].includes(folder))
  assert.deepEqual(mayNot.map(describe), [])
})

test('only the addon knows Node-API', () => {
  const knowing = native.filter(({ target }) => /napi|node_api/.test(target))
  assert.ok(knowing.length > 0)
  assert.deepEqual(knowing.filter(({ folder }) => folder !== 'addon').map(describe), [])
})

test('only addon.ts finds the addon', () => {
  const files = filesUnder('src', /\.ts$/).filter((file) => /createRequire|\.node'/.test(read(file)))
  assert.deepEqual(files, ['src/dataplane/addon.ts'])
})

test('programs are run by name and arguments, never by a shell', () => {
  const running = typescript.filter(({ target }) => target === 'node:child_process')
  assert.deepEqual(
    running.map(({ file }) => file),
    ['src/handover/place.ts', 'src/network/command.ts', 'src/store/store-process.ts'],
  )
  const names = running.flatMap(
    ({ file }) => /import \{ (.*) \} from 'node:child_process'/.exec(read(file))![1]!,
  )
  assert.deepEqual(names, ['execFileSync', 'spawn', 'type ChildProcess, fork'])
  for (const file of filesUnder('src', /\.ts$/))
    assert.doesNotMatch(read(file), /shell: true|\beval\(|new Function\(|from 'node:vm'/, file)
  for (const file of filesUnder('native/src', /\.(h|cc)$/))
    assert.doesNotMatch(read(file), /\b(system|popen|execl[ep]?|execvp|posix_spawn)\(/, file)
})

function breachesOf(imports: readonly Import[], allowed: Allowed): readonly string[] {
  return imports
    .filter(({ folder, targetFolder }) => {
      const may = allowed[folder]
      return may && targetFolder && targetFolder !== folder && !may.includes(targetFolder)
    })
    .map(describe)
}

function describe({ file, target }: Import): string {
  return `${file} imports ${target}`
}

function importsUnder(root: string, names: RegExp, pattern: RegExp): readonly Import[] {
  return filesUnder(root, names).flatMap((file) =>
    Array.from(read(file).matchAll(pattern), ([, target]) => {
      const path = join(dirname(file), target!)
      const isOwn = existsSync(join(ROOT, path))
      return {
        file,
        folder: folderOf(file, root),
        target: target!,
        targetFolder: isOwn ? folderOf(path, root) : undefined,
      }
    }),
  )
}

/** `src/packet/bytes.ts` is of `packet`, `src/compile.ts` of `compile`, `native/bpf/maps.h`, beside the root, of `bpf`. */
function folderOf(path: string, root: string): string {
  return relative(root, path)
    .replace(/^\.\.\//, '')
    .split('/')[0]!
    .replace(/\.[^.]*$/, '')
}

function filesUnder(root: string, names: RegExp): readonly string[] {
  return readdirSync(join(ROOT, root), { recursive: true, encoding: 'utf8' })
    .filter((path) => names.test(path))
    .map((path) => join(root, path))
    .sort()
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}
