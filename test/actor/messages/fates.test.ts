import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { everySystem } from "../fixtures.ts"
import { fatesOf, type Place, PLACES } from "./fates.ts"
import { HAPPENINGS, type Way } from "./happenings.ts"

/** The table in the documentation of the actor layer: rows of cells, the names among them. */
const readTable = (): ReadonlyArray<ReadonlyArray<string>> =>
  readFileSync(new URL("../../../core/actor/index.ts", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(" * |") && !line.startsWith(" * | ---"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

const [head = [], ...rows] = readTable()
const columns = head.slice(1)
const NONE = "-"

const isPlace = (name: string): name is Place => PLACES.some((it) => it === name)

describe("the table of fates", () => {
  it("has a scenario for each row and column, and each scenario has its cell", () => {
    assert.deepStrictEqual(columns, Object.keys(HAPPENINGS))
    assert.sameMembers(rows.map(([place]) => place), [...PLACES])
    for (const [place = "", ...cells] of rows) {
      assert.strictEqual(cells.length, columns.length, place)
      for (const [index, cell] of cells.entries()) {
        const column = columns[index]!
        const impossible = isPlace(place) && HAPPENINGS[column]!.never.includes(place)
        assert.strictEqual(cell === NONE, impossible, `${place} / ${column}`)
      }
    }
  })
})

for (const [systemName, layer] of everySystem) {
  describe(`message fate, ${systemName}`, () => {
    const fates = (way: Way, places: ReadonlySet<Place>) => Effect.provide(fatesOf(way, places), layer)
    // One run shows the fates of all who are there; each of their tests looks at it.
    const shown = new Map<Way, ReadonlyMap<Place, string>>()
    const fatesAmongAll = (way: Way, never: ReadonlyArray<Place>) =>
      Effect.gen(function*() {
        const found = shown.get(way) ?? (yield* fates(way, new Set(PLACES.filter((it) => !never.includes(it)))))
        shown.set(way, found)
        return found
      })
    for (const [place = "", ...cells] of rows) {
      for (const [index, fate] of cells.entries()) {
        if (fate === NONE) continue
        const column = columns[index] ?? ""
        it.effect(`message fate: ${place} / ${column}: ${fate}`, () =>
          Effect.gen(function*() {
            const happening = HAPPENINGS[column]
            if (happening === undefined || !isPlace(place)) return assert.fail("there is no scenario for it")
            for (const [name, way] of Object.entries(happening.ways)) {
              assert.strictEqual((yield* fates(way, new Set([place]))).get(place), fate, `${name}, alone`)
              const amongAll = yield* fatesAmongAll(way, happening.never)
              assert.strictEqual(amongAll.get(place), fate, `${name}, among all`)
            }
          }))
      }
    }
  })
}
