/**
 * Versions of what the journal itself stores: earlier ones are upgraded step by step, later ones are refused by name
 * and left as they are, and what has no version is none of ours.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { backup, repair, restore, verify } from "mobwright"
import * as fs from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { backupVersion } from "../../core/journal/copy/lines.ts"
import { readBackup } from "../../core/journal/copy/read-lines.ts"
import {
  blockKey,
  checkpointKey,
  headKey,
  type Key,
  metaKey,
  mobKey,
  pinKey,
  type RecordType,
  recordTypeOf
} from "../../core/journal/keys.ts"
import { holdLevel } from "../../core/journal/level.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { format } from "../../core/journal/registry.ts"
import { seal, unseal } from "../../core/journal/seal.ts"
import { type Contents, newest, recordVersions, type Upgrader } from "../../core/journal/versions.ts"
import { SchemaUnsupported, StoreCorrupted, type StoreShape } from "../../sdk/store.ts"
import { media, using } from "./copy/stores.ts"
import { entry, folder, soak, submit, team } from "./logs.ts"

/** What is no version of anything. */
const noVersions = [0, -1, 1.5, 2 ** 53, "1", "x", null, true, [1], undefined] as const

/** Adds a letter to what a record has been through. */
const step = (letter: string): Upgrader => ({ body, header }) => ({
  header: { ...header, through: `${String(header["through"])}${letter}` },
  body: `${body}${letter}`
})

describe("a record of an earlier version", () => {
  const first: Contents = { header: { through: "1" }, body: "b" }
  const table = [step("a"), step("b"), step("c")]

  it("goes through each upgrader after its own version, once, in order", () => {
    expect(newest("it", 1, first, table)).toEqual({ header: { through: "1abc" }, body: "babc" })
    expect(newest("it", 2, first, table)).toEqual({ header: { through: "1bc" }, body: "bbc" })
    expect(newest("it", 3, first, table)).toEqual({ header: { through: "1c" }, body: "bc" })
    expect(newest("it", 4, first, table)).toEqual(first)
  })

  it("is not changed itself", () => {
    const frozen = Object.freeze({ header: Object.freeze({ ...first.header }), body: first.body })
    newest("it", 1, frozen, table)
    expect(frozen).toEqual(first)
  })

  it("of none before it, is read as it is", () => expect(newest("it", 1, first, [])).toEqual(first))
})

describe("a record of a later version", () => {
  it("is refused by name, with what was found and what is supported", () => {
    const table = [step("a")]
    for (const found of [3, 4, 1_000]) {
      expect(() => newest("the checkpoint", found, { header: {}, body: "" }, table)).toThrow(
        new SchemaUnsupported({ what: "the checkpoint", found, supported: 2 })
      )
    }
  })

  const keys: { readonly [type in RecordType]: readonly [Key, string] } = {
    meta: [metaKey, "the meta record"],
    mob: [mobKey("team"), "the record of mob team"],
    block: [blockKey(3, 8), "block 8 of mob number 3"],
    head: [headKey(3, "run/a"), "the head of run/a in mob number 3"],
    checkpoint: [checkpointKey(3), "the checkpoint of mob number 3"],
    pin: [pinKey("0f".repeat(32)), `key 40${"0f".repeat(32)}`]
  }

  for (const [type, [key, what]] of Object.entries(keys)) {
    it(`is refused of type ${type}`, () => {
      expect(recordTypeOf(key)).toBe(type)
      const supported = recordVersions[recordTypeOf(key) ?? "meta"].length + 1
      expect(unseal(key, seal(key, { a: 1 }, "b"))).toEqual({ header: { a: 1 }, body: "b" })
      expect(() => unseal(key, seal(key, { v: supported + 1, a: 1 }, "b"))).toThrow(
        new SchemaUnsupported({ what, found: supported + 1, supported })
      )
    })
  }
})

describe("a record whose version is none", () => {
  for (const v of noVersions) {
    it(`(${JSON.stringify(v)}) is none of ours, sound as it may be`, () => {
      // What no program wrote; its header holds no such value by its type.
      const value = seal(metaKey, { v: v as number, format: 1, seq_floor: 0 }, "")
      expect(() => unseal(metaKey, value)).toThrow(StoreCorrupted)
    })
  }
})

/** Gives a record another header, under a checksum that is right. */
const relabel = (medium: Medium, key: Key, header: Contents["header"]) =>
  Effect.gen(function*() {
    const database = yield* medium.open
    const value = database.getSync(key) ?? ""
    const contents = unseal(key, value)
    const written = seal(key, { ...contents.header, ...header }, contents.body)
    yield* Effect.callback<void>((resume) =>
      database.commit([{ type: "put", key, value: written }], () => resume(Effect.void))
    )
    yield* database.close
    yield* medium.leave
    return value
  })

/** Puts a record back as it was. */
const putBack = (medium: Medium, key: Key, value: string) =>
  Effect.gen(function*() {
    const database = yield* medium.open
    yield* Effect.callback<void>((resume) => database.commit([{ type: "put", key, value }], () => resume(Effect.void)))
    yield* database.close
    yield* medium.leave
  })

const digest = "0f".repeat(32)

/** A mob with a record of each type. */
const fill = Effect.fnUntraced(function*(store: StoreShape) {
  const log = yield* store.acquire(team)
  yield* submit(log, [entry("mob", 1)], { pins: [{ digest, definition: { text: "kept" } }] })
  yield* submit(log, [entry("run/ended", 1, { terminal: true })])
  // Enough for a checkpoint, which comes with the next batch.
  yield* submit(log, Array.from({ length: 512 }, (_, index) => entry("mob", index + 2)))
  yield* submit(log, [entry("mob", 514)])
})

const acquire = (store: StoreShape) => store.acquire(team)
const load = (aggregate: string) => (store: StoreShape) =>
  Effect.flatMap(store.acquire(team), (log) => log.load(aggregate))

/** Where a record of a later version is met. */
const places: ReadonlyArray<{
  readonly name: string
  readonly key: Key
  readonly header?: Contents["header"]
  readonly what: string
  readonly meets: (store: StoreShape) => Effect.Effect<unknown, unknown>
}> = [
  { name: "the meta record", key: metaKey, what: "the meta record", meets: acquire },
  { name: "the format", key: metaKey, header: { format: format + 1 }, what: "the data directory", meets: acquire },
  { name: "a mob's record", key: mobKey("team"), what: "the record of mob team", meets: acquire },
  { name: "a checkpoint", key: checkpointKey(1), what: "the checkpoint of mob number 1", meets: acquire },
  { name: "a block", key: blockKey(1, 515), what: "block 515 of mob number 1", meets: acquire },
  { name: "the head of what is live", key: headKey(1, "mob"), what: "the head of mob in mob number 1", meets: acquire },
  {
    name: "the head of what has ended",
    key: headKey(1, "run/ended"),
    what: "the head of run/ended in mob number 1",
    meets: load("run/ended")
  },
  {
    name: "a definition",
    key: pinKey(digest),
    what: `key 40${digest}`,
    meets: (store) => Effect.flatMap(store.acquire(team), (log) => log.pinned(digest))
  }
]

for (const { make, name: mediumName } of media) {
  describe(`in a store on ${mediumName}, a later version of`, () => {
    for (const { header, key, meets, name, what } of places) {
      it.live(`${name} is met with SchemaUnsupported, and goes on once the later program is there`, () =>
        Effect.gen(function*() {
          const medium = yield* make
          yield* using(medium, fill)
          const found = header === undefined ? 7 : format + 1
          const before = yield* relabel(medium, key, header ?? { v: found })
          const met = yield* Effect.flip(using(medium, meets))
          expect(met).toMatchObject({ _tag: "SchemaUnsupported", found, supported: 1 })
          expect((met as SchemaUnsupported).what).toContain(what)
          yield* putBack(medium, key, before)
          yield* using(medium, (store) =>
            Effect.gen(function*() {
              const log = yield* store.acquire(team)
              expect((yield* log.load("run/ended"))?.head?.revision).toBe(1)
              expect(yield* log.pinned(digest)).toEqual({ text: "kept" })
              yield* submit(log, [entry("mob", 515)])
            }))
        }))
    }
  })
}

describe("copies of a store with records of a later version", () => {
  /** A data directory with a record of a later version, and what that says. */
  const laterAt = Effect.fnUntraced(function*({ header, key }: typeof places[number]) {
    const dir = join(yield* folder, "data")
    const medium = holdLevel(dir, undefined)
    yield* using(medium, fill)
    const found = header === undefined ? 7 : format + 1
    yield* relabel(medium, key, header ?? { v: found })
    return { dir, error: { _tag: "SchemaUnsupported", found, supported: 1 }, found }
  })

  for (const place of places) {
    it.live(`are not made by backup (${place.name})`, () =>
      Effect.gen(function*() {
        const { dir, error } = yield* laterAt(place)
        const file = join(yield* folder, "backup")
        expect(yield* Effect.flip(backup(dir, file))).toMatchObject(error)
        expect(fs.existsSync(file)).toBe(false)
      }))
  }

  // Each looks at a whole directory anew.
  const examined = places.filter(({ name }) =>
    soak || ["the format", "a block", "the head of what has ended"].includes(name)
  )
  for (const place of examined) {
    it.live(`are not made by repair, and verify tells why (${place.name})`, () =>
      Effect.gen(function*() {
        const { dir, error, found } = yield* laterAt(place)
        const target = join(yield* folder, "repaired")
        expect(yield* Effect.flip(repair(dir, target))).toMatchObject(error)
        expect(fs.existsSync(target)).toBe(false)
        const { findings } = yield* verify(dir)
        expect(findings.map(({ what }) => what).join("\n")).toMatch(new RegExp(`(version|format is) ${found}`))
      }))
  }
})

describe("a backup", () => {
  /** A backup whose first line says this version, with all its checksums right. */
  const backupOf = Effect.fnUntraced(function*(v: unknown) {
    const dir = yield* folder
    const file = join(dir, "backup")
    const medium = holdLevel(join(dir, "data"), undefined)
    yield* using(medium, (store) => Effect.flatMap(store.acquire(team), (log) => submit(log, [entry("mob", 1)])))
    yield* backup(join(dir, "data"), file)
    let crc = 0
    const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n").map((line, index) => {
      const { crc: _, ...fields } = JSON.parse(line) as { readonly [name: string]: unknown }
      if (index === 0) Object.assign(fields, { v })
      const text = JSON.stringify(fields).slice(0, -1)
      crc = crc32(text, crc)
      return `${text},"crc":${crc}}\n`
    })
    fs.writeFileSync(file, lines.join(""))
    return { file, target: join(dir, "target") }
  })

  it.live("of a later version is refused by name, and nothing is made of it", () =>
    Effect.gen(function*() {
      const { file, target } = yield* backupOf(backupVersion + 1)
      const error = { _tag: "SchemaUnsupported", what: `the backup ${file}`, found: backupVersion + 1, supported: 1 }
      expect(yield* Effect.flip(restore(file, target))).toMatchObject(error)
      expect(yield* Effect.flip(readBackup(file, () => Effect.void))).toMatchObject(error)
      expect(fs.existsSync(target)).toBe(false)
    }))

  for (const v of noVersions) {
    it.live(`whose version is none (${JSON.stringify(v)}) is none of ours`, () =>
      Effect.gen(function*() {
        const { file, target } = yield* backupOf(v)
        expect(yield* Effect.flip(restore(file, target))).toMatchObject({ _tag: "StoreCorrupted" })
      }))
  }
})
