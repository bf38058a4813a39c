/**
 * A file system that is really full, and small.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { folder } from "../logs.ts"
import { run } from "../processes.ts"

const trial = mkdtempSync(join(tmpdir(), "mobwright-journal-"))
const allowed = (await Effect.runPromise(run("faults/small-disk.ts", trial, "ask"))).ended === "0"
rmdirSync(trial)
const why = allowed ? "" : " (left out: this machine does not allow a user namespace that mounts a tmpfs)"

it.live.skipIf(!allowed)(
  `a process on a full tmpfs goes on reading and then writing, and a second process finds all of it${why}`,
  () =>
    Effect.gen(function*() {
      const { ended, output } = yield* run("faults/small-disk.ts", yield* folder)
      const [ready, failed, ...looks] = output
      expect([ended, ready, failed]).toEqual(["0", "ready", "failed StoreFull:unknown"])
      const [read, again = ""] = [looks.pop(), looks.pop()]
      const revision = Number(again.split(" ")[1])
      expect(again).toBe(`again ${revision}`)
      // All looks saw the same.
      const seen = new Set(looks.map((line) => line.split(" ").slice(0, 3).join(" ")))
      expect(seen.size).toBe(1)
      expect(revision).toBeGreaterThan(500)
      expect(read).toBe(`read ${revision} ${revision} 0`)
      expect(looks.map((line) => line.split(" ").slice(3).join(" ")))
        .toContain("StoreFull:not_written StoreUnavailable")
    }),
  60_000
)
