/**
 * What a check and a repair look at: the data directory as it was at one moment.
 */
import { describe, expect, it, onTestFinished } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import builtin from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { shadowOf } from "../../../core/journal/copy/shadow.ts"
import { verifyShadow } from "../../../core/journal/copy/verify.ts"
import { MarkFile } from "../../../core/journal/folder.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { ownedName } from "../../../core/journal/owned.ts"
import { entry, folder, submit, team } from "../logs.ts"
import { ofDeadProcess } from "./dead.ts"
import { fill, using, verifyHere } from "./stores.ts"

/** Whether a file system of one's own can be made here. */
const ownDisk = (() => {
  try {
    execFileSync("unshare", ["-rm", "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

describe("a look at a data directory", () => {
  it.live("is of one moment: who opens it meanwhile, writes, and removes blobs, changes nothing of it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const data = join(dir, "data")
      yield* using(holdLevel(data, undefined), fill)
      const findings = yield* Effect.scoped(Effect.gen(function*() {
        const shadow = yield* shadowOf(data)
        yield* using(holdLevel(data, undefined), (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(team)
            for (let revision = 61; revision < 70; revision++) yield* submit(log, [entry("mob", revision)])
            fs.rmSync(join(data, "blobs"), { recursive: true })
          }))
        return (yield* verifyShadow(data, shadow, false)).findings
      }))
      expect(findings).toEqual([])
      expect(fs.readdirSync(dir)).toEqual(["data"])
    }))

  it.live("is refused when a process holds the directory, or opens it while the look is taken", () =>
    Effect.gen(function*() {
      const data = join(yield* folder, "data")
      yield* using(holdLevel(data, undefined), (store) =>
        Effect.gen(function*() {
          yield* fill(store)
          expect(yield* Effect.flip(Effect.scoped(shadowOf(data)))).toMatchObject({ _tag: "StoreLocked" })
        }))
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const { copyFileSync } = builtin
          builtin.copyFileSync = (...paths) => {
            fs.appendFileSync(join(data, "db", "LOG"), "opened")
            copyFileSync(...paths)
          }
          syncBuiltinESMExports()
          return copyFileSync
        }),
        (copyFileSync) =>
          Effect.sync(() => {
            builtin.copyFileSync = copyFileSync
            syncBuiltinESMExports()
          })
      )
      expect(yield* Effect.flip(Effect.scoped(shadowOf(data)))).toMatchObject({ _tag: "StoreLocked", dir: data })
    }))

  it.live("removes what looks that were killed left beside it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const data = join(dir, "data")
      yield* using(holdLevel(data, undefined), fill)
      const live = ownedName(data, "look")
      for (const path of [live, ofDeadProcess(ownedName(data, "look"))]) {
        fs.mkdirSync(join(path, "db"), { recursive: true })
      }
      expect((yield* verifyHere(data)).findings).toEqual([])
      expect(fs.readdirSync(dir).map((name) => join(dir, name)).sort()).toEqual([data, live])
    }))

  it.live("finds a MARK that is not what was written, but none that a loss of power left empty", () =>
    Effect.gen(function*() {
      const data = join(yield* folder, "data")
      yield* using(holdLevel(data, undefined), fill)
      const found = Effect.map(verifyHere(data), ({ findings }) => findings.map(({ where }) => where))
      for (const bytes of [Buffer.alloc(16), Buffer.alloc(0)]) {
        fs.writeFileSync(join(data, "MARK"), bytes)
        expect(yield* found).toEqual([])
      }
      fs.writeFileSync(join(data, "MARK"), "not what was written")
      expect(yield* found).toEqual([join(data, "MARK")])
      new MarkFile(data).write(1)
      fs.rmSync(join(data, "MARK"))
      expect(yield* found).toEqual([])
    }))

  it.skipIf(!ownDisk)("on a disk without room for it says that, and nothing of the store (needs unshare)", () => {
    const dir = fs.mkdtempSync(join(tmpdir(), "mobwright-journal-"))
    onTestFinished(() => fs.rmSync(dir, { recursive: true }))
    const script = fileURLToPath(new URL("full-disk.ts", import.meta.url))
    const output = execFileSync("unshare", [
      "-rm",
      "sh",
      "-c",
      "mount -t tmpfs -o size=12m tmpfs /mnt && exec \"$@\"",
      "sh",
      process.execPath,
      "--conditions=mobwright-source",
      "--no-warnings",
      script,
      "/mnt",
      join(dir, "file")
    ])
    const said = JSON.parse(output.toString()) as { readonly [what: string]: unknown } // what the script prints
    expect(said).toEqual({
      verify: "NoRoom",
      repair: "NoRoom",
      backup: "NoRoom",
      restore: "NoRoom",
      left: ["data", "filler"],
      later: 0
    })
  })
})
