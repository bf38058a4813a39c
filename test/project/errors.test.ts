import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { errorsIn, faceOf, publicErrors, table } from "./errors.ts"
import { root } from "./imports.ts"

describe("public errors", () => {
  const rows = publicErrors()

  it("have a code and a meaning each", () => {
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((it) => it.code === undefined || it.meaning === "")).toEqual([])
  })

  it("have codes of their own", () => {
    expect(new Set(rows.map((it) => it.code)).size).toBe(rows.length)
  })

  it("are exported by their face", async () => {
    const missing: Array<string> = []
    for (const row of rows) {
      const face: Record<string, unknown> = await import(join(root, faceOf(row.file)))
      if (face[row.tag] === undefined) missing.push(`${row.tag} of ${row.file} by ${faceOf(row.file)}`)
    }
    expect(missing).toEqual([])
  })

  it("stand in the generated table", () => {
    expect(readFileSync(join(root, "core/ERRORS.md"), "utf8")).toBe(table(rows))
  })

  it("are seen when they have no code", () => {
    const text = "/** Lost. */\nexport class Lost extends Schema.TaggedError<Lost>()(\"Lost\", {}) {\n}\n"
    expect(errorsIn("core/x.ts", text)).toEqual([{ tag: "Lost", code: undefined, meaning: "Lost.", file: "core/x.ts" }])
  })
})
