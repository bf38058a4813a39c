import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { root } from "../../project/imports.ts"
import { mutants } from "./mutants.ts"

describe("mutants", () => {
  it("are at least thirty, each a change of one place that is there", () => {
    expect(mutants.length).toBeGreaterThanOrEqual(30)
    for (const { file, find, replace } of mutants) {
      const parts = readFileSync(`${root}/${file}`, "utf8").split(find)
      expect(parts, `${file}: ${find}`).toHaveLength(2)
      expect(replace, `${file}: ${find}`).not.toBe(find)
    }
  })
})
