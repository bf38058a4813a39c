import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { errorsIn, publicErrors, table, unexported } from "./errors.ts"
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
    expect(await unexported(rows, (face) => import(join(root, face)))).toEqual([])
  })

  it("are missed when their face does not export them", async () => {
    const row = { tag: "Lost", code: "LOST", meaning: "Lost.", file: "sdk/x.ts" }
    expect(await unexported([row], (face) => import(join(root, face)))).toEqual(["Lost of sdk/x.ts by sdk/index.ts"])
  })

  it("stand in the generated table", () => {
    expect(readFileSync(join(root, "core/ERRORS.md"), "utf8")).toBe(table(rows))
  })

  it("are seen when they have no code", () => {
    const text = "/** Lost. */\nexport class Lost extends Schema.TaggedError<Lost>()(\"Lost\", {}) {\n}\n"
    expect(errorsIn("core/x.ts", text)).toEqual([{ tag: "Lost", code: undefined, meaning: "Lost.", file: "core/x.ts" }])
  })
})
