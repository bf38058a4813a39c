/** What a later program wrote is no damage: it is told as what it is, and a repair leaves it for that program. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { repair, verify } from "../../../core/journal/copy/index.ts"
import { blockKey, headKey, type Key, metaKey, mobKey, pinKey } from "../../../core/journal/keys.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { seal, unseal } from "../../../core/journal/seal.ts"
import { entry, folder, submit, team } from "../logs.ts"
import { using } from "./stores.ts"

const digest = "0f".repeat(32)

const records: ReadonlyArray<readonly [string, Key, { readonly [field: string]: number }]> = [
  ["a meta record", metaKey, { v: 7 }],
  ["another format", metaKey, { format: 7 }],
  ["the record of a mob", mobKey(team), { v: 7 }],
  ["a block", blockKey(1, 3), { v: 7 }],
  ["a head", headKey(1, "mob"), { v: 7 }],
  ["a definition", pinKey(digest), { v: 7 }]
]

describe("a store that a later program has written to", () => {
  for (const [what, key, fields] of records) {
    it.live(`(${what}) is not repaired, and verify says why`, () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const from = join(dir, "data")
        const medium = holdLevel(from, undefined)
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(team)
            yield* submit(log, [entry("mob", 1)], { pins: [{ digest, definition: { a: 1 } }] })
            yield* submit(log, [entry("run/a", 1, { terminal: true })])
            yield* submit(log, [entry("mob", 2)])
          }))
        const database = yield* medium.open
        const { body, header } = unseal(key, database.getSync(key) ?? "")
        const value = seal(key, { ...header, ...fields }, body)
        yield* Effect.callback<void>((resume) =>
          database.commit([{ type: "put", key, value }], () => resume(Effect.void))
        )
        yield* database.close
        yield* medium.leave
        const to = join(dir, "to")
        const failed = yield* Effect.flip(repair(from, to))
        assert.deepInclude({ ...failed }, { _tag: "SchemaUnsupported", found: 7, supported: 1 })
        assert.isFalse(fs.existsSync(to))
        const { findings } = yield* verify(from)
        assert.deepInclude(findings.find(({ kind }) => kind === "later"), { remedy: "use the program that wrote it" })
      }))
  }
})
