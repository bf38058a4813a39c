/**
 * The conformance kit of the store contract, run against our own layers.
 */
import { Schema } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { ConformanceReport, storeConformance } from "../../../sdk/testing/index.ts"
import { level, memory, memoryDisk } from "./places.ts"

describe.each([
  { name: "LevelDB", subject: level, untested: ["060", "066", "067", "068", "069"] },
  {
    name: "memory",
    subject: memory,
    untested: ["040", "054", "055", "058", "059", "060", "066", "067", "068", "069"]
  },
  { name: "memory that is opened again", subject: memoryDisk, untested: ["060", "066", "067", "068", "069"] }
])("a store on $name", ({ subject, untested }) => {
  const { report } = storeConformance({ it, ...subject })

  afterAll(() => {
    const result = Schema.decodeUnknownSync(ConformanceReport)(JSON.parse(JSON.stringify(report())))
    expect(result.clauses.map(({ id }) => id)).toEqual(
      result.clauses.map((_, index) => `STORE-${String(index + 1).padStart(3, "0")}`)
    )
    for (const { id, outcome } of result.clauses) {
      expect(`${id} ${outcome}`).toBe(`${id} ${untested.includes(id.slice(6)) ? "untested" : "passed"}`)
    }
  })
})
