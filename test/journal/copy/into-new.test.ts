/**
 * New data directories, as a repair and a restore make them: there whole, or not there.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { intoNew } from "../../../core/journal/copy/into-new.ts"
import { ownedName } from "../../../core/journal/owned.ts"
import { folder } from "../logs.ts"
import { ofDeadProcess } from "./dead.ts"

/** Writes a file into the new directory. */
const write = (draft: string) => Effect.sync(() => fs.writeFileSync(join(draft, "file"), "text"))

describe("a new directory", () => {
  it.effect("has its name only when all of it was written, and is its owner's alone", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const target = join(dir, "above", "new")
      yield* intoNew(target, (draft) =>
        Effect.gen(function*() {
          yield* write(draft)
          expect(fs.existsSync(target)).toBe(false)
        }))
      expect(fs.readdirSync(target)).toEqual(["file"])
      expect(fs.readdirSync(join(dir, "above"))).toEqual(["new"])
      expect(fs.statSync(target).mode & 0o777).toBe(0o700)
      fs.mkdirSync(join(dir, "empty"))
      yield* intoNew(join(dir, "empty"), write)
      expect(fs.readdirSync(join(dir, "empty"))).toEqual(["file"])
    }))

  it.effect("that fails, or is interrupted, leaves nothing, nor the folders that were made for it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const target = join(dir, "above", "higher", "new")
      const failing = intoNew(target, (draft) => Effect.andThen(write(draft), Effect.fail("no")))
      expect(yield* Effect.flip(failing)).toBe("no")
      expect(fs.readdirSync(dir)).toEqual([])
      const written = yield* Deferred.make<void>()
      const going = yield* Effect.forkChild(
        intoNew(
          target,
          (draft) => Effect.andThen(write(draft), Effect.andThen(Deferred.succeed(written, undefined), Effect.never))
        )
      )
      yield* Deferred.await(written)
      yield* Fiber.interrupt(going)
      expect(fs.readdirSync(dir)).toEqual([])
    }))

  it.effect("is refused where something is, and that stays as it is", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const path = (name: string) => join(dir, name)
      fs.mkdirSync(path("taken"))
      fs.writeFileSync(path("taken/precious"), "")
      fs.mkdirSync(path("taken.part"))
      fs.mkdirSync(path("empty"))
      fs.symlinkSync("nowhere", path("dangling"))
      fs.symlinkSync("empty", path("link"))
      fs.writeFileSync(path("file"), "")
      const before = fs.readdirSync(dir, { recursive: true })
      for (const name of ["taken", "dangling", "link", "file"]) {
        expect(yield* Effect.flip(intoNew(path(name), write))).toMatchObject({
          _tag: "TargetTaken",
          target: path(name)
        })
      }
      for (const name of ["file/new", "/proc/none/new"]) {
        expect(yield* Effect.flip(intoNew(name.startsWith("/") ? name : path(name), write))).toMatchObject({
          _tag: "TargetUnusable"
        })
      }
      expect(fs.readdirSync(dir, { recursive: true })).toEqual(before)
    }))

  it.effect("is made by one of two who try at once; the other is told, and mixes nothing into it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const target = join(dir, "new")
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = yield* Effect.forkChild(Effect.flip(intoNew(target, (draft) =>
        Effect.gen(function*() {
          fs.writeFileSync(join(draft, "slow"), "")
          yield* Deferred.succeed(first, undefined)
          yield* Deferred.await(second)
        }))))
      yield* Deferred.await(first)
      yield* intoNew(target, write)
      yield* Deferred.succeed(second, undefined)
      expect(yield* Fiber.join(slow)).toMatchObject({ _tag: "TargetTaken" })
      expect(fs.readdirSync(dir)).toEqual(["new"])
      expect(fs.readdirSync(target)).toEqual(["file"])
    }))

  it.effect("removes what a killed process left beside it, and nothing that lives or is not of this kind", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const target = join(dir, "new")
      const live = ownedName(target, "part")
      const mine = `${target}.part-backup`
      for (const path of [live, mine, ofDeadProcess(ownedName(target, "part"))]) {
        fs.mkdirSync(join(path, "db"), { recursive: true })
      }
      yield* intoNew(target, write)
      expect(fs.readdirSync(dir).map((name) => join(dir, name)).sort()).toEqual([target, live, mine].sort())
    }))
})
