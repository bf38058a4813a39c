/**
 * Checks and repairs in a process of their own: what ends it, what ends with it, and what it tells.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { repair, verify } from "../../../core/journal/copy/index.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { folder, until } from "../logs.ts"
import { child } from "../processes.ts"
import { fill, using } from "./stores.ts"

/** A data directory and the folder that it is in. */
const stored = Effect.gen(function*() {
  const dir = yield* folder
  const data = join(dir, "data")
  yield* using(holdLevel(data, undefined), fill)
  return { dir, data }
})

/** Processes that read a store below this folder. */
const readers = (dir: string) =>
  fs.readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const args = fs.readFileSync(join("/proc", name, "cmdline"), "utf8")
      return args.includes("child.ts") && args.includes(dir)
    } catch {
      // It has ended.
      return false
    }
  })

describe("a store that is read in a process of its own", () => {
  it.live("is not said to be damaged when that process has no memory left", () =>
    Effect.gen(function*() {
      const { data, dir } = yield* stored
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const before = process.env["NODE_OPTIONS"]
          process.env["NODE_OPTIONS"] = "--max-old-space-size=8"
          return before
        }),
        (before) =>
          Effect.sync(() => {
            if (before === undefined) delete process.env["NODE_OPTIONS"]
            else process.env["NODE_OPTIONS"] = before
          })
      )
      const ended = { _tag: "ReaderEnded", message: expect.stringContaining("max-old-space-size") }
      expect(yield* Effect.flip(verify(data))).toMatchObject(ended)
      expect(yield* Effect.flip(repair(data, join(dir, "new")))).toMatchObject(ended)
      expect(fs.readdirSync(dir)).toEqual(["data"])
    }))

  it.live("gives its failures with their tags", () =>
    Effect.gen(function*() {
      const { data, dir } = yield* stored
      const name = (names: ReadonlyArray<readonly [number, string]>) =>
        repair(data, join(dir, "new"), { names: new Map(names) }).pipe(
          Effect.as("repaired"),
          Effect.catchTag("NameUnusable", ({ reason }) => Effect.succeed(reason))
        )
      expect(yield* name([[9, "team"]])).toMatch(/nothing is left of a mob with this number/)
      expect(yield* name([[1, "third"]])).toMatch(/that is the number of mob team/)
      expect(yield* Effect.flip(repair(data, join(data, "new")))).toMatchObject({ _tag: "TargetUnusable" })
      fs.symlinkSync(data, join(dir, "link"))
      expect(yield* Effect.flip(repair(data, join(dir, "link", "new")))).toMatchObject({ _tag: "TargetUnusable" })
      expect(yield* Effect.flip(repair(data, data))).toMatchObject({ _tag: "TargetUnusable" })
      fs.rmSync(join(dir, "link"))
      expect(fs.readdirSync(dir)).toEqual(["data"])
    }))

  it.live("leaves nothing when it is interrupted", () =>
    Effect.gen(function*() {
      const { data, dir } = yield* stored
      const going = Effect.raceFirst(
        Effect.as(repair(data, join(dir, "new")), "repaired"),
        // Its process has begun; what is there of it is removed when it is gone.
        Effect.as(until(() => readers(dir).length > 0), "interrupted")
      )
      expect(yield* going).toBe("interrupted")
      expect(fs.readdirSync(dir)).toEqual(["data"])
      expect(readers(dir)).toEqual([])
    }))

  it.live("is read no longer when who asked was killed, and the next one removes what that left", () =>
    Effect.gen(function*() {
      const { data, dir } = yield* stored
      const asking = yield* child("copy/repairer.ts", [data, join(dir, "new")])
      yield* until(() => readers(dir).length > 0)
      const [reader] = readers(dir)
      // It goes on only when who asked is gone.
      process.kill(Number(reader), "SIGSTOP")
      asking.kill()
      yield* Effect.promise(() => asking.ended)
      process.kill(Number(reader), "SIGCONT")
      yield* until(() => readers(dir).length === 0)
      const draft = fs.readdirSync(dir).find((name) => name.startsWith("new.part-")) ?? ""
      expect(fs.existsSync(join(dir, draft))).toBe(true)
      // What is written when all else is.
      expect(fs.existsSync(join(dir, draft, "MARK"))).toBe(false)
      expect(fs.readdirSync(dir).length).toBeGreaterThan(1)
      expect((yield* repair(data, join(dir, "new"))).lost).toEqual([])
      expect(fs.readdirSync(dir).sort()).toEqual(["data", "new"])
    }))
})
