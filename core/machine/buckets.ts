/**
 * Persistent maps for machine states: `set` and `delete` give a new map and leave the old one as it was, at the cost
 * of a few short arrays, so that a mob of 10,000 members spawns one more without copying 10,000 entries.
 */

/** Entries of a leaf before it becomes a branch. */
const LEAF = 8
/** Bits of the hash that choose a child: 32 children a branch. */
const BITS = 5
const MASK = (1 << BITS) - 1

const hash = (key: string | number): number => {
  if (typeof key === "number") return Math.imul(key, 0x9e3779b1) >>> 0
  let h = 0x811c9dc5
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193)
  return (h ^ (h >>> 15)) >>> 0
}

/** A few entries, side by side. */
class Leaf<K, V> {
  readonly keys: ReadonlyArray<K>
  readonly values: ReadonlyArray<V>

  constructor(keys: ReadonlyArray<K>, values: ReadonlyArray<V>) {
    this.keys = keys
    this.values = values
  }
}

/** 32 children, by bits of the hash. */
class Branch<K, V> {
  readonly children: ReadonlyArray<Node<K, V>>

  constructor(children: ReadonlyArray<Node<K, V>>) {
    this.children = children
  }
}

type Node<K, V> = Leaf<K, V> | Branch<K, V>

const EMPTY = new Leaf<never, never>([], [])

const put = <K extends string | number, V>(node: Node<K, V>, shift: number, key: K, value: V): Node<K, V> => {
  if (node instanceof Branch) {
    const slot = (hash(key) >>> shift) & MASK
    const children = node.children.slice()
    children[slot] = put(children[slot] ?? EMPTY, shift + BITS, key, value)
    return new Branch(children)
  }
  const at = node.keys.indexOf(key)
  const values = node.values.slice()
  if (at >= 0) {
    values[at] = value
    return new Leaf(node.keys, values)
  }
  // When the bits are used up, keys that share a hash stay in one leaf, however many they are.
  if (node.keys.length < LEAF || shift > 30) {
    values.push(value)
    return new Leaf([...node.keys, key], values)
  }
  return put(split(node, shift), shift, key, value)
}

const split = <K extends string | number, V>(leaf: Leaf<K, V>, shift: number): Branch<K, V> => {
  const keys = Array.from({ length: MASK + 1 }, (): Array<K> => [])
  const values = Array.from({ length: MASK + 1 }, (): Array<V> => [])
  leaf.keys.forEach((key, index) => {
    const slot = (hash(key) >>> shift) & MASK
    keys[slot]?.push(key)
    // Same index, so there is a value.
    values[slot]?.push(leaf.values[index] as V)
  })
  return new Branch(keys.map((some, slot) => (some.length === 0 ? EMPTY : new Leaf(some, values[slot] ?? []))))
}

const remove = <K extends string | number, V>(node: Node<K, V>, shift: number, key: K): Node<K, V> => {
  if (node instanceof Branch) {
    const slot = (hash(key) >>> shift) & MASK
    const children = node.children.slice()
    children[slot] = remove(children[slot] ?? EMPTY, shift + BITS, key)
    return children.every((child) => child === EMPTY) ? EMPTY : new Branch(children)
  }
  if (node.keys.length === 1) return EMPTY
  const at = node.keys.indexOf(key)
  return new Leaf(node.keys.toSpliced(at, 1), node.values.toSpliced(at, 1))
}

function* walk<K, V>(node: Node<K, V>): Generator<[K, V], undefined> {
  if (node instanceof Branch) { for (const child of node.children) yield* walk(child) }
  // Same index, so there is a value.
  else for (let at = 0; at < node.keys.length; at++) yield [node.keys[at] as K, node.values[at] as V]
}

/**
 * An immutable map of strings or numbers. Reads are those of a `ReadonlyMap`; the order of iteration says nothing.
 * `set` and `delete` copy one leaf of at most 8 entries and a branch of 32 slots a level: none below 9 entries, two
 * levels for thousands.
 */
export class Buckets<K extends string | number, V> implements ReadonlyMap<K, V> {
  readonly size: number
  private readonly root: Node<K, V>
  private static readonly none = new Buckets<string, never>(EMPTY, 0)

  private constructor(root: Node<K, V>, size: number) {
    this.root = root
    this.size = size
  }

  /** The map without entries; one object for all. */
  static empty<K extends string | number, V>(): Buckets<K, V> {
    // The shared empty map holds no key and no value, so it is a map of every type.
    return Buckets.none as unknown as Buckets<K, V>
  }

  /** A map of these entries; a later one replaces an earlier one of the same key. */
  static from<K extends string | number, V>(entries: Iterable<readonly [K, V]>): Buckets<K, V> {
    let map = Buckets.empty<K, V>()
    for (const [key, value] of entries) map = map.set(key, value)
    return map
  }

  get(key: K): V | undefined {
    const leaf = this.leaf(key)
    const at = leaf.keys.indexOf(key)
    return at < 0 ? undefined : leaf.values[at]
  }

  has(key: K): boolean {
    return this.leaf(key).keys.includes(key)
  }

  /** This map with `value` under `key`. */
  set(key: K, value: V): Buckets<K, V> {
    return new Buckets(put(this.root, 0, key, value), this.has(key) ? this.size : this.size + 1)
  }

  /** This map without `key`; itself if it has none. */
  delete(key: K): Buckets<K, V> {
    if (!this.has(key)) return this
    return this.size === 1 ? Buckets.empty() : new Buckets(remove(this.root, 0, key), this.size - 1)
  }

  forEach(each: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of walk(this.root)) each(value, key, this)
  }

  entries(): MapIterator<[K, V]> {
    return walk(this.root)
  }

  *keys(): MapIterator<K> {
    for (const [key] of walk(this.root)) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of walk(this.root)) yield value
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return walk(this.root)
  }

  private leaf(key: K): Leaf<K, V> {
    let node = this.root
    if (node instanceof Leaf) return node
    let bits = hash(key)
    do {
      node = node.children[bits & MASK] ?? EMPTY
      bits >>>= BITS
    } while (node instanceof Branch)
    return node
  }
}

/** Keys in a chunk of a memory's queue. */
const CHUNK = 64

/** What a {@link Recent} consists of. Positions count all keys that were ever put. */
interface Memory<V> {
  readonly slots: Buckets<string, { readonly at: number; readonly value: V }>
  /** Full chunks of keys, oldest first; `start` is the position of the first of them. */
  readonly chunks: ReadonlyArray<ReadonlyArray<string>>
  readonly start: number
  readonly tail: ReadonlyArray<string>
  /** No key below this position is remembered. A key from there on may have been deleted, or put again. */
  readonly first: number
  readonly next: number
}

/**
 * An immutable memory of the last so many keys: putting one more forgets the oldest. A key that is put again keeps
 * its place and gets the new value.
 */
export class Recent<V> {
  readonly limit: number
  private readonly memory: Memory<V>

  private constructor(limit: number, memory: Memory<V>) {
    this.limit = limit
    this.memory = memory
  }

  /** A memory of at most `limit` keys, with these from oldest to newest. */
  static of<V>(limit: number, entries: Iterable<readonly [string, V]> = []): Recent<V> {
    let recent = new Recent<V>(limit, { slots: Buckets.empty(), chunks: [], start: 0, tail: [], first: 0, next: 0 })
    for (const [key, value] of entries) recent = recent.put(key, value).recent
    return recent
  }

  get size(): number {
    return this.memory.slots.size
  }

  get(key: string): V | undefined {
    return this.memory.slots.get(key)?.value
  }

  has(key: string): boolean {
    return this.memory.slots.has(key)
  }

  /** With `value` under `key`; also says which key had to go for it. */
  put(key: string, value: V): { readonly recent: Recent<V>; readonly forgotten: string | undefined } {
    const { chunks, first, next, slots, start, tail } = this.memory
    const at = slots.get(key)?.at ?? next
    const put = slots.set(key, { at, value })
    if (at !== next) return { recent: new Recent(this.limit, { ...this.memory, slots: put }), forgotten: undefined }
    const longer = [...tail, key]
    const full = longer.length === CHUNK
    const grown = new Recent<V>(this.limit, {
      slots: put,
      chunks: full ? [...chunks, longer] : chunks,
      start,
      tail: full ? [] : longer,
      first,
      next: next + 1
    })
    if (grown.size > this.limit) return grown.shift()
    // Keys that come and go leave holes; they are closed before they outnumber the keys.
    const holes = next - first > 2 * this.limit + CHUNK
    return { recent: holes ? Recent.of(this.limit, grown.entries()) : grown, forgotten: undefined }
  }

  /** Without `key`. */
  delete(key: string): Recent<V> {
    const slots = this.memory.slots.delete(key)
    return slots === this.memory.slots ? this : new Recent(this.limit, { ...this.memory, slots })
  }

  /** From oldest to newest. */
  *entries(): Generator<readonly [string, V]> {
    const slots = [...this.memory.slots].sort(([, a], [, b]) => a.at - b.at)
    for (const [key, { value }] of slots) yield [key, value]
  }

  private shift(): { readonly recent: Recent<V>; readonly forgotten: string | undefined } {
    const { chunks, next, slots, start, tail } = this.memory
    for (let first = this.memory.first; first < next; first++) {
      const place = first - start
      const key = (chunks[Math.floor(place / CHUNK)] ?? tail)[place % CHUNK]
      if (key === undefined || slots.get(key)?.at !== first) continue
      const done = Math.floor((first + 1 - start) / CHUNK)
      const recent = new Recent<V>(this.limit, {
        slots: slots.delete(key),
        chunks: done === 0 ? chunks : chunks.slice(done),
        start: start + Math.min(done, chunks.length) * CHUNK,
        tail,
        first: first + 1,
        next
      })
      return { recent, forgotten: key }
    }
    return { recent: this, forgotten: undefined }
  }
}
