/**
 * Damage of all kinds: what is checked is told, what is repaired is what was written, and what is lost is listed.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { folder, soak } from "../logs.ts"
import { run } from "../processes.ts"
import { verifyHere } from "./stores.ts"
import { fill } from "./world.ts"

const places = soak ? 250 : 20

const base = Effect.fnUntraced(function*(dir: string) {
  const open = openCopied(holdLevel(dir, undefined))
  const truths = yield* Effect.scoped(Effect.flatMap(open, fill))
  fs.writeFileSync(
    `${dir}.truth`,
    JSON.stringify(
      truths.map((truth) => ({ ...truth, revisions: [...truth.revisions], positions: [...truth.positions] }))
    )
  )
  return open
})

describe("a damaged store", () => {
  for (const kind of ["log", "table"] as const) {
    it.live(
      `in LevelDB's ${kind}: every place is found or changes nothing, and what is repaired is sound`,
      () =>
        Effect.gen(function*() {
          const dir = join(yield* folder, "base")
          const open = yield* base(dir)
          // Opening moves the log into a table.
          if (kind === "table") yield* Effect.scoped(open)
          expect((yield* verifyHere(dir)).findings).toEqual([])
          const lines: Array<string> = []
          let aborted = 0
          while (lines.length < places) {
            const { ended, output } = yield* run(
              "copy/damage-store.ts",
              dir,
              `${dir}.truth`,
              String(lines.length),
              String(places - lines.length)
            )
            lines.push(...output)
            if (lines.length < places) {
              // LevelDB ended the process: what a command does then is to let another one read.
              aborted++
              const place = String(lines.length)
              lines.push(...(yield* run("copy/damage-store.ts", dir, `${dir}.truth`, place, "1", "apart")).output)
            }
            expect(ended === "0" || ended === "SIGABRT" || ended === "SIGSEGV" ? "" : ended).toBe("")
          }
          if (process.env["MOB_SHOW"] === "1") console.log(`${lines.join("\n")}\naborted: ${aborted}`)
          expect(lines.filter((line) => line.startsWith("wrong") || line.startsWith("silent"))).toEqual([])
          expect(lines.filter((line) => line.startsWith("found")).length).toBeGreaterThan(places / 3)
        }),
      1_800_000
    )
  }
})
