/**
 * `node:fs` on a {@link Machine}'s disk: what the journal calls, for paths that lead there. All else goes to the real
 * one. Only what is synced survives; `step` lies between any two changes.
 */
import { File, Folder, Records } from "./disk.ts"
import { Machine, type Place } from "./machine.ts"

type Callable = (...args: ReadonlyArray<unknown>) => unknown

/** The functions of the real module, by name. */
export interface RealFiles {
  readonly promises: object
}

/** `node:fs` as the code under test sees it. */
export const machineFiles = (real: RealFiles) => ({
  ...real,
  ...routed(real, synchronous),
  ...onDescriptors(real),
  promises: { ...real.promises, ...routed(real.promises, asynchronous) }
})

const routed = (
  real: object,
  own: Readonly<Record<string, (place: Place, ...rest: ReadonlyArray<never>) => unknown>>
) =>
  Object.fromEntries(
    Object.entries(own).map(([name, act]) => [name, (path: unknown, ...rest: ReadonlyArray<never>) => {
      const place = Machine.at(path)
      return place === undefined ? realOf(real, name)(path, ...rest) : act(place, ...rest)
    }])
  )

// Node's own functions, called as they were called.
const realOf = (real: object, name: string): Callable => (real as Readonly<Record<string, Callable>>)[name] as Callable

const failure = (code: string, { names }: Place) => Object.assign(new Error(`${code}: ${names.join("/")}`), { code })

const folderAt = (place: Place, names: ReadonlyArray<string>): Folder => {
  let folder = place.machine.disk
  for (const name of names) {
    const next = folder.entries.get(name)
    if (!(next instanceof Folder)) throw failure("ENOENT", place)
    folder = next
  }
  return folder
}

const parentOf = (place: Place) => {
  place.machine.assertOn(place.life)
  return { folder: folderAt(place, place.names.slice(0, -1)), name: place.names.at(-1) ?? "" }
}

const find = (place: Place): File | Folder | Records | undefined => {
  place.machine.assertOn(place.life)
  const last = place.names.at(-1)
  let folder = place.machine.disk
  if (last === undefined) return folder
  for (const name of place.names.slice(0, -1)) {
    const next = folder.entries.get(name)
    if (next instanceof Records) return last === "CURRENT" || last === logOf(next) ? new File() : undefined
    if (!(next instanceof Folder)) return undefined
    folder = next
  }
  return folder.entries.get(last)
}

const logOf = (records: Records) => `${String(records.log).padStart(6, "0")}.log`

const existing = (place: Place) => {
  const node = find(place)
  if (node === undefined) throw failure("ENOENT", place)
  return node
}

const fileAt = (place: Place): File => {
  const node = existing(place)
  if (!(node instanceof File)) throw failure("EISDIR", place)
  return node
}

const read = (place: Place, encoding?: unknown) =>
  encoding === "utf8" ? fileAt(place).content.toString("utf8") : Buffer.from(fileAt(place).content)

const list = (place: Place): ReadonlyArray<string> => {
  const node = existing(place)
  if (node instanceof Records) return ["CURRENT", logOf(node)]
  if (!(node instanceof Folder)) throw failure("ENOTDIR", place)
  return [...node.entries.keys()]
}

const look = (place: Place, options?: { readonly throwIfNoEntry?: boolean }) => {
  const node = options?.throwIfNoEntry === false ? find(place) : existing(place)
  return node && {
    isFile: () => node instanceof File,
    isDirectory: () => !(node instanceof File),
    // All that is made here is for its owner alone.
    mode: 0o700,
    uid: 0,
    size: node instanceof File ? node.content.length : 0
  }
}

/** Makes a folder and those above it, and gives the first that it made; LevelDB's own folder is made as what LevelDB keeps. */
const makeFolder = (place: Place): string | undefined => {
  const { life, machine, names, root } = place
  machine.assertOn(life)
  let first: string | undefined
  for (const [depth, name] of names.entries()) {
    const above = folderAt(place, names.slice(0, depth))
    if (above.entries.has(name)) continue
    above.set(name, name === "db" ? new Records() : new Folder())
    first ??= [root, ...names.slice(0, depth + 1)].join("/")
    machine.step(life)
  }
  return first
}

const create = (place: Place, flags: unknown): File => {
  const { folder, name } = parentOf(place)
  const known = folder.entries.get(name)
  if (known !== undefined && flags === "wx") throw failure("EEXIST", place)
  if (known instanceof File) return known
  const file = new File()
  folder.set(name, file)
  place.machine.step(place.life)
  return file
}

const rename = (place: Place, target: unknown): void => {
  const to = Machine.at(target)
  if (to === undefined) throw failure("EXDEV", place)
  const node = existing(place)
  const from = parentOf(place)
  const onto = parentOf(to)
  onto.folder.set(onto.name, node)
  from.folder.set(from.name, undefined)
  place.machine.step(place.life)
}

const remove = (place: Place, options?: { readonly recursive?: boolean; readonly force?: boolean }): void => {
  const node = find(place)
  if (node === undefined) {
    if (options?.force === true) return
    throw failure("ENOENT", place)
  }
  const { folder, name } = parentOf(place)
  if (node instanceof Folder) {
    if (options?.recursive !== true) throw failure("EISDIR", place)
    for (const child of node.entries.keys()) remove({ ...place, names: [...place.names, child] }, options)
  }
  folder.set(name, undefined)
  place.machine.step(place.life)
}

const sync = ({ life, machine }: Place, node: File | Folder | Records): void => {
  machine.step(life)
  // LevelDB's log is not synced with the folder that it stands in.
  if (node instanceof Records || machine.lies.has(node instanceof File ? "file" : "folder")) return
  node.sync()
}

const synchronous = {
  existsSync: (place: Place) => find(place) !== undefined,
  mkdirSync: makeFolder,
  readdirSync: list,
  statSync: look,
  readFileSync: read,
  writeFileSync: (place: Place, text: string, options?: { readonly flush?: boolean }) => {
    const file = create(place, "w")
    file.write(Buffer.from(text))
    place.machine.step(place.life)
    if (options?.flush === true) sync(place, file)
  },
  renameSync: rename,
  rmSync: remove,
  openSync: (place: Place, flags: unknown) => {
    const node = flags === "r" || flags === 0 ? existing(place) : create(place, flags)
    const descriptor = nextDescriptor++
    descriptors.set(descriptor, { place, node })
    return descriptor
  }
}

/** Far from what a process gets from its system. */
let nextDescriptor = 1_000_000
const descriptors = new Map<unknown, { readonly place: Place; readonly node: File | Folder | Records }>()

const onDescriptors = (real: object) => {
  const own: Readonly<Record<string, (place: Place, node: File | Folder | Records, bytes: Buffer) => unknown>> = {
    writeSync: (place, node, bytes) => {
      place.machine.assertOn(place.life)
      if (node instanceof File) node.write(Buffer.from(bytes))
      place.machine.step(place.life)
    },
    fsyncSync: sync,
    closeSync: () => {}
  }
  return Object.fromEntries(
    Object.entries(own).map(([name, act]) => [name, (descriptor: unknown, ...rest: ReadonlyArray<never>) => {
      const known = descriptors.get(descriptor)
      if (known === undefined) return realOf(real, name)(descriptor, ...rest)
      if (name === "closeSync") descriptors.delete(descriptor)
      return act(known.place, known.node, ...rest as [never])
    }])
  )
}

const slowly =
  <Rest extends ReadonlyArray<never>, A>(act: (place: Place, ...rest: Rest) => A) =>
  (place: Place, ...rest: Rest): Promise<A> => place.machine.slowly(place.life, () => act(place, ...rest))

const asynchronous = {
  mkdir: slowly(makeFolder),
  rename: slowly(rename),
  rm: slowly(remove),
  readFile: slowly(read),
  readdir: slowly(list),
  stat: slowly(look),
  statfs: slowly(() => ({ bavail: 2 ** 30, bsize: 4096 })),
  open: slowly((place: Place, flags: unknown) => {
    const node = flags === "r" ? existing(place) : create(place, flags)
    return {
      writeFile: slowly((_: Place, bytes: Uint8Array) => {
        if (node instanceof File) node.write(Buffer.concat([node.content, bytes]))
        place.machine.step(place.life)
      }).bind(undefined, place),
      sync: () => place.machine.slowly(place.life, () => sync(place, node)),
      close: () => Promise.resolve()
    }
  })
}
