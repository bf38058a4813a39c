/**
 * An abstract-level on a {@link Machine}'s disk, in the place of `level`: it keeps what was synced and what was not
 * apart, as LevelDB does. After a failed append the handle goes on acknowledging and all of that is gone after the next
 * opening, as was seen of LevelDB.
 */
import { AbstractIterator, AbstractLevel, AbstractSnapshot } from "abstract-level"
import { type Change, Folder, type Node, Records } from "./disk.ts"
import { Machine, type Place } from "./machine.ts"

interface Operation {
  readonly type: "put" | "del"
  readonly key: Buffer
  readonly value?: string
}

interface Range {
  readonly gte?: Buffer
  readonly lt?: Buffer
  readonly reverse?: boolean
  readonly snapshot?: Frozen
}

/** A variable, because the type of manifests leaves `getSync` out. */
const manifest = { encodings: { buffer: true, utf8: true }, explicitSnapshots: true, getSync: true }

const keyOf = (key: Buffer) => key.toString("latin1")

/** `Level`, as far as the journal uses it. */
export class Level extends AbstractLevel<Buffer | string, Buffer, string> {
  readonly #place: Place
  #open: Records | undefined
  #poisoned = false

  constructor(location: string, options: object) {
    super(manifest, options)
    const place = Machine.at(location)
    if (place === undefined) throw new Error(`${location} is on no machine`)
    this.#place = place
  }

  /** What is read; throws when it is closed. */
  get records(): Records {
    if (this.#open === undefined) throw new Error("it is not open")
    return this.#open
  }

  async _open(): Promise<void> {
    await this.slowly(() => {
      const { life, machine, names } = this.#place
      let node: Node | undefined = machine.disk
      for (const name of names) node = node instanceof Folder ? node.entries.get(name) : undefined
      if (!(node instanceof Records)) throw new Error("its folder is missing")
      if (node.holder === life) throw Object.assign(new Error("it is locked"), { code: "LEVEL_LOCKED" })
      machine.step(life)
      node.holder = life
      node.recover()
      this.#open = node
      machine.step(life)
    })
  }

  async _close(): Promise<void> {
    await this.slowly(() => {
      if (this.#open !== undefined) this.#open.holder = undefined
      this.#open = undefined
    })
  }

  async _batch(operations: ReadonlyArray<Operation>, options: { readonly sync?: boolean }): Promise<void> {
    const { life, machine } = this.#place
    const changes = operations.map(({ key, type, value }): Change => ({
      key: keyOf(key),
      // The real one copies before it returns.
      value: type === "put" ? String(value) : undefined
    }))
    await this.slowly(() => {
      if (this.#poisoned) return this.records.apply(changes)
      const failing = machine.failing > 0 && machine.random.oneIn(machine.failing)
      if (!failing || machine.random.oneIn(2)) {
        this.records.append(changes)
        machine.step(life)
      }
      if (failing) {
        this.#poisoned = true
        throw new Error("IO error: the cable came off")
      }
      this.records.apply(changes)
    })
    if (options.sync !== true || this.#poisoned || machine.lies.has("batch")) return
    await this.slowly(() => {
      this.records.sync()
      machine.step(life)
    })
  }

  /** Moves the log into a table; like LevelDB it does not say when that fails. */
  async compactRange(): Promise<void> {
    await this.slowly(() => {
      if (this.#poisoned) return
      this.records.sync()
      this.records.log++
      this.#place.machine.step(this.#place.life)
    })
  }

  _getSync(key: Buffer): string | undefined {
    return this.records.view.get(keyOf(key))
  }

  _getMany(keys: ReadonlyArray<Buffer>, { snapshot }: Range): Promise<ReadonlyArray<string | undefined>> {
    return this.slowly(() => keys.map((key) => (snapshot?.view ?? this.records.view).get(keyOf(key))))
  }

  _iterator(range: Range): Cursor {
    return new Cursor(this, range)
  }

  _snapshot(options: object): Frozen {
    return new Frozen(options, this.records)
  }

  slowly<A>(act: () => A): Promise<A> {
    return this.#place.machine.slowly(this.#place.life, act)
  }
}

/** A view of one moment. */
class Frozen extends AbstractSnapshot {
  readonly view: ReadonlyMap<string, string>
  readonly keys: ReadonlyArray<string>

  constructor(options: object, records: Records) {
    // abstract-level passes on what its base class needs; its types do not say so.
    super(...[options] as unknown as [])
    this.view = new Map(records.view)
    this.keys = records.keys()
  }
}

class Cursor extends AbstractIterator<Level, Buffer, string> {
  readonly #found: ReadonlyArray<readonly [Buffer, string]>
  #at = 0

  constructor(level: Level, range: Range) {
    // The same options, in abstract-level's own words.
    super(level, range as object)
    const { keys, view } = range.snapshot ?? { keys: level.records.keys(), view: level.records.view }
    const found = keys.slice(
      range.gte === undefined ? 0 : placeOf(keys, keyOf(range.gte)),
      range.lt === undefined ? keys.length : placeOf(keys, keyOf(range.lt))
    )
    if (range.reverse === true) found.reverse()
    this.#found = found.map((key) => [Buffer.from(key, "latin1"), view.get(key) ?? ""])
  }

  _nextv(size: number): Promise<ReadonlyArray<readonly [Buffer, string]>> {
    return this.db.slowly(() => this.#found.slice(this.#at, this.#at += size).map((pair) => [...pair]))
  }
}

/** Index of the first key that is not below `key`. */
const placeOf = (keys: ReadonlyArray<string>, key: string): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? "") < key) low = middle + 1
    else high = middle
  }
  return low
}
