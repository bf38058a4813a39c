import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const folder = new URL("..", import.meta.url).pathname

/** `TestClock.adjust` or `setTime`, by whatever name the clock was given. */
const bare = /\b(TestClock\s*\.\s*(adjust|setTime)|(adjust|setTime)\b[^\n]*from "effect\/testing\/TestClock")/
/** Whoever speaks of cells, or of what runs on them. A journal alone has none. */
const ofActors = /from "(\.\.\/)+core\/(actor|testing|mob|member|flow|topology|index)\b|from "mobwright"/

/** Files that move a clock behind the back of cells. */
const offenders = (files: ReadonlyArray<readonly [name: string, text: string]>): ReadonlyArray<string> =>
  files.filter(([, text]) => bare.test(text) && ofActors.test(text)).map(([name]) => name)

const testFiles = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && name !== join("testing", "bare-adjust.test.ts"))
  .map((name) => [name, readFileSync(join(folder, name), "utf8")] as const)

describe("tests of actors", () => {
  it("let time pass by advance: a bare TestClock.adjust does not see the run queue", () => {
    assert.isAbove(testFiles.length, 5)
    assert.deepStrictEqual(offenders(testFiles), [])
  })

  it("are caught when they do not", () => {
    const actors = `import { ActorSystem } from "../../core/actor/index.ts"\n`
    const caught = [
      ["a.ts", `${actors}yield* TestClock.adjust("1 second")`],
      ["b.ts", `${actors}yield* TestClock\n  .setTime(5)`],
      ["c.ts", `import { Mobs } from "mobwright"\nyield* TestClock.adjust(1)`]
    ] as const
    assert.deepStrictEqual(offenders(caught), ["a.ts", "b.ts", "c.ts"])
    assert.deepStrictEqual(offenders([["d.ts", `yield* TestClock.adjust("1 second")`], ["e.ts", actors]]), [])
  })
})
