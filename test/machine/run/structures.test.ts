import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Deadlines from "../../../core/machine/run/deadlines.ts"
import * as Slices from "../../../core/machine/run/slices.ts"
import { InputId } from "../../../sdk/ids.ts"

describe("slices", () => {
  it("are the array they stand for, and an update leaves the one before as it was", () => {
    const change = fc.tuple(fc.nat(300), fc.integer())
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 200 }), fc.array(change), (start, changes) => {
        let model = start
        let slices = Slices.fromArray(start)
        for (const [at, value] of changes) {
          const before = Slices.toArray(slices)
          const next = at < model.length ? Slices.set(slices, at, value) : Slices.push(slices, value)
          expect(Slices.toArray(slices)).toEqual(before)
          slices = next
          model = at < model.length ? model.with(at, value) : [...model, value]
        }
        expect(Slices.toArray(slices)).toEqual(model)
        expect(slices.length).toBe(model.length)
        expect(model.every((value, at) => Slices.at(slices, at) === value)).toBe(true)
      })
    )
  })

  it("repeat an item, and know their ends", () => {
    expect(Slices.toArray(Slices.repeat("x", 130))).toEqual(Array.from({ length: 130 }, () => "x"))
    expect(Slices.toArray(Slices.set(Slices.repeat(0, 130), 64, 1)).filter((it) => it === 1)).toEqual([1])
    expect(() => Slices.at(Slices.repeat(0, 3), 3)).toThrow(RangeError)
    expect(() => Slices.set(Slices.repeat(0, 3), -1, 1)).toThrow(RangeError)
  })
})

describe("deadlines", () => {
  it("give the earliest one that stands", () => {
    const entry = fc.record({ deadline: fc.nat(50), closed: fc.boolean() })
    fc.assert(fc.property(fc.array(entry), (entries) => {
      const id = (index: number) => InputId.make(`i${index}`)
      const heap = entries.reduce<Deadlines.Deadlines>(
        (it, { deadline }, index) => Deadlines.insert(it, deadline, id(index)),
        undefined
      )
      const open = new Map(
        entries.flatMap(({ deadline, closed }, index) => closed ? [] : [[id(index), deadline] as const])
      )
      const top = Deadlines.dropStale(heap, (input, deadline) => open.get(input) === deadline)
      expect(top?.deadline).toBe(open.size === 0 ? undefined : Math.min(...open.values()))
    }))
  })
})
