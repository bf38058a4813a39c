import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import decisions from "./decisions.json" with { type: "json" }

const root = new URL("../..", import.meta.url).pathname
/** Acceptance behaviours of each spec: how many there are. */
const specs: { readonly [spec: string]: number } = { flows: 131, members: 143, operations: 80 }

describe("decisions", () => {
  it.each(Object.entries(decisions))(
    "%s is a behaviour of a spec, with a reason and a test that is there",
    (id, entry) => {
      const [spec = "", number = ""] = id.split("/")
      expect(Number(number)).toBeGreaterThanOrEqual(1)
      expect(Number(number)).toBeLessThanOrEqual(specs[spec] ?? 0)
      expect(entry.reason.length).toBeGreaterThan(20)
      const [place = "", ...rest] = entry.test.split(": ")
      const words = rest.join(": ")
      const path = join(root, place)
      const files = place.endsWith(".ts")
        ? [path]
        : readdirSync(path).filter((it) => it.endsWith(".ts")).map((it) => join(path, it))
      const found = files.some((file) => readFileSync(file, "utf8").includes(words))
      expect(found, `${place} has a test named by "${words}"`).toBe(true)
    }
  )
})
