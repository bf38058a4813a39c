import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Buckets, Recent } from "../../core/machine/buckets.ts"

const change = fc.tuple(
  fc.constantFrom("set", "delete"),
  fc.integer({ min: 0, max: 300 }).map((n) => `key-${n}`),
  fc.nat()
)

describe("a persistent map", () => {
  it("is a map, whatever is done to it, and leaves its earlier versions as they were", () => {
    fc.assert(fc.property(fc.array(change, { maxLength: 600 }), (changes) => {
      let map = Buckets.empty<string, number>()
      const plain = new Map<string, number>()
      const before: Array<readonly [Buckets<string, number>, number]> = []
      for (const [what, key, value] of changes) {
        before.push([map, plain.size])
        if (what === "set") {
          map = map.set(key, value)
          plain.set(key, value)
        } else {
          map = map.delete(key)
          plain.delete(key)
        }
        expect(map.get(key)).toBe(plain.get(key))
      }
      expect(new Map(map)).toEqual(plain)
      expect(map.size).toBe(plain.size)
      expect(before.every(([version, size]) => version.size === size && [...version].length === size)).toBe(true)
    }))
  })

  it("holds many keys, and keys of the same hash", () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `worker-${index}`)
    const map = Buckets.from(keys.map((key, index) => [key, index]))
    expect(keys.every((key, index) => map.get(key) === index)).toBe(true)
    // Numbers that differ by 2 ** 32 hash alike.
    const alike = Array.from({ length: 40 }, (_, index) => index * 2 ** 32)
    const same = Buckets.from(alike.map((key) => [key, key]))
    expect(alike.every((key) => same.get(key) === key)).toBe(true)
    expect(alike.reduce((left, key) => left.delete(key), same).size).toBe(0)
  })

  it("reads as a map does", () => {
    const map = Buckets.from([["a", 1], ["b", 2]])
    expect([...map.keys()].sort()).toEqual(["a", "b"])
    expect([...map.values()].sort()).toEqual([1, 2])
    const seen: Array<readonly [string, number]> = []
    map.forEach((value, key) => seen.push([key, value]))
    expect(seen.sort()).toEqual([["a", 1], ["b", 2]])
  })
})

describe("a memory of the last keys", () => {
  it("forgets the oldest, and says which", () => {
    const memory = Recent.of(2, [["a", 1], ["b", 2]])
    const { forgotten, recent } = memory.put("c", 3)
    expect(forgotten).toBe("a")
    expect([...recent.entries()]).toEqual([["b", 2], ["c", 3]])
    expect([...memory.entries()]).toEqual([["a", 1], ["b", 2]])
  })

  it("keeps the place of a key that is put again, and skips the place of one that was deleted", () => {
    let memory = Recent.of(3, [["a", 1], ["b", 2], ["c", 3]])
    memory = memory.put("a", 9).recent
    memory = memory.delete("a")
    memory = memory.put("d", 4).recent
    expect([...memory.entries()]).toEqual([["b", 2], ["c", 3], ["d", 4]])
    expect(memory.put("e", 5).forgotten).toBe("b")
  })
})

describe("a memory whose keys come and go", () => {
  it("is the list of the last keys, whatever is done to it", () => {
    const key = fc.integer({ min: 0, max: 12 }).map(String)
    const change = fc.tuple(fc.constantFrom("put", "put", "delete"), key, fc.nat())
    fc.assert(fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
      let memory = Recent.of<number>(5)
      let plain: Array<readonly [string, number]> = []
      for (const [what, name, value] of changes) {
        const known = plain.some(([it]) => it === name)
        if (what === "delete") {
          memory = memory.delete(name)
          plain = plain.filter(([it]) => it !== name)
        } else {
          const { forgotten, recent } = memory.put(name, value)
          memory = recent
          plain = known
            ? plain.map((entry) => (entry[0] === name ? [name, value] : entry))
            : [...plain, [name, value]]
          expect(forgotten).toBe(plain.length > 5 ? plain[0]?.[0] : undefined)
          plain = plain.slice(-5)
        }
        expect([...memory.entries()]).toEqual(plain)
      }
    }))
  })
})
