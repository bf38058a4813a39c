/**
 * Versions of what machines store: earlier facts and heads are upgraded step by step, those of a later program are
 * refused by name, and what has no version is none of ours.
 */
import { describe, expect, it } from "vitest"
import { decodeInbox, decodeInboxFact } from "../../core/machine/inbox/index.ts"
import { decodeMob, decodeMobFact } from "../../core/machine/mob/index.ts"
import { decodeRun, decodeRunFact } from "../../core/machine/run/index.ts"
import { newestFact, newestHead, type Upgrader, type Versions } from "../../core/machine/versions.ts"
import type { Json, JsonObject } from "../../sdk/json.ts"
import { SchemaUnsupported } from "../../sdk/store-errors.ts"
import { inboxHeads } from "../golden/examples/inbox.ts"
import { mobHeads } from "../golden/examples/mob.ts"
import { runHeads } from "../golden/examples/run.ts"

/** Adds a letter to what a record has been through. */
const step = (letter: string): Upgrader => (record) => ({ ...record, through: `${String(record["through"])}${letter}` })

/** A machine made up: heads of version 4, facts of which one is in version 3 and another in its first. */
const versions: Versions = {
  machine: "a clock",
  head: [step("a"), step("b"), step("c")],
  facts: { struck: [step("x"), step("y")] }
}
const types = new Set(["struck", "wound"])
const fact = (type: string, v: Json): JsonObject => ({ v, type, through: "1" })

describe("what an earlier program stored", () => {
  it("goes through each upgrader after its own version, once, in order, and gets the newest version", () => {
    expect(newestHead(versions, { v: 1, through: "1" })).toEqual({ v: 4, through: "1abc" })
    expect(newestHead(versions, { v: 3, through: "1" })).toEqual({ v: 4, through: "1c" })
    expect(newestHead(versions, { v: 4, through: "1" })).toEqual({ v: 4, through: "1" })
    expect(newestFact(versions, types, fact("struck", 1))).toEqual({ v: 3, type: "struck", through: "1xy" })
    expect(newestFact(versions, types, fact("struck", 2))).toEqual({ v: 3, type: "struck", through: "1y" })
    expect(newestFact(versions, types, fact("struck", 3))).toEqual(fact("struck", 3))
  })

  it("has the version of each step set, whatever the step says of it", () => {
    const seen: Array<Json | undefined> = []
    const watch: Upgrader = (record) => {
      seen.push(record["v"])
      return { ...record, v: 77 }
    }
    expect(newestHead({ ...versions, head: [watch, watch] }, { v: 1 })).toEqual({ v: 3 })
    expect(seen).toEqual([1, 2])
  })

  it("is not changed itself", () => {
    const stored = Object.freeze({ v: 1, through: "1", list: Object.freeze([1]) })
    newestHead(versions, stored)
    newestFact(versions, types, Object.freeze(fact("struck", 1)))
    expect(stored).toEqual({ v: 1, through: "1", list: [1] })
  })

  it("is read as it is when its shape never changed", () => {
    expect(newestFact(versions, types, fact("wound", 1))).toEqual(fact("wound", 1))
  })

  it("has no upgraders that are named like what every object has", () => {
    for (const type of ["constructor", "toString", "__proto__"]) {
      expect(newestFact(versions, new Set([type]), fact(type, 1))).toEqual(fact(type, 1))
    }
  })
})

describe("what a later program stored", () => {
  it("is refused by name, with what was found and what is supported", () => {
    expect(() => newestHead(versions, { v: 5 })).toThrow(
      new SchemaUnsupported({ what: "the head of a clock", found: 5, supported: 4 })
    )
    expect(() => newestFact(versions, types, fact("struck", 4))).toThrow(
      new SchemaUnsupported({ what: "the fact struck of a clock", found: 4, supported: 3 })
    )
    expect(() => newestFact(versions, types, fact("wound", 2))).toThrow(
      new SchemaUnsupported({ what: "the fact wound of a clock", found: 2, supported: 1 })
    )
  })

  it("of a type that there is not yet is refused by name too: it is no damage", () => {
    expect(() => newestFact(versions, types, fact("stopped", 1))).toThrow(
      new SchemaUnsupported({ what: "the fact stopped of a clock", found: 1, supported: 0 })
    )
  })
})

const machines = [
  {
    of: "a run",
    head: runHeads,
    decodeHead: decodeRun,
    decodeFact: decodeRunFact,
    fact: { type: "run_canceled", at: 1 }
  },
  { of: "a mob", head: mobHeads, decodeHead: decodeMob, decodeFact: decodeMobFact, fact: { type: "mob_stopped" } },
  {
    of: "an inbox",
    head: inboxHeads,
    decodeHead: decodeInbox,
    decodeFact: decodeInboxFact,
    fact: { type: "work_ended", work_ref: "work-1" }
  }
]

/** What is no version of anything; undefined for one that is left out. */
const noVersions = [0, -1, 1.5, 2 ** 53, "1", null, true, [1], undefined] as const

/** This record with another version, or none. */
const versioned = (record: JsonObject, v: Json | undefined): JsonObject => {
  const { v: _, ...rest } = record
  return v === undefined ? rest : { v, ...rest }
}

const thrownBy = (read: () => unknown): unknown => {
  try {
    read()
  } catch (error) {
    return error
  }
  return "nothing"
}

for (const { decodeFact, decodeHead, fact, head, of } of machines) {
  describe(`the decoders of ${of}`, () => {
    // Every head has at least one example, an object.
    const stored = head()[0] as JsonObject

    it("refuse a later fact and a later head by name", () => {
      expect(thrownBy(() => decodeFact({ v: 900, ...fact }))).toMatchObject({
        _tag: "SchemaUnsupported",
        what: `the fact ${fact.type} of ${of}`,
        found: 900
      })
      expect(thrownBy(() => decodeHead(versioned(stored, 900)))).toMatchObject({
        _tag: "SchemaUnsupported",
        what: `the head of ${of}`,
        found: 900
      })
    })

    it("refuse a fact of a type that there is not yet by name", () => {
      expect(thrownBy(() => decodeFact({ v: 1, type: "not_yet", at: 1 }))).toMatchObject({
        _tag: "SchemaUnsupported",
        what: `the fact not_yet of ${of}`
      })
    })

    for (const v of noVersions) {
      it(`refuse what has no version (${JSON.stringify(v)}) as none of ours`, () => {
        for (
          const error of [
            thrownBy(() => decodeFact(versioned(fact, v))),
            thrownBy(() => decodeFact(versioned({ type: "not_yet" }, v))),
            thrownBy(() => decodeHead(versioned(stored, v)))
          ]
        ) {
          expect(error).toBeInstanceOf(Error)
          expect(error).not.toBeInstanceOf(SchemaUnsupported)
        }
      })
    }

    it("refuse what is no record at all as none of ours", () => {
      for (const nothing of [null, 1, "text", [], [{ v: 1 }], {}]) {
        const error = thrownBy(() => decodeHead(nothing))
        expect(error).toBeInstanceOf(Error)
        expect(error).not.toBeInstanceOf(SchemaUnsupported)
      }
      const error = thrownBy(() => decodeFact({ v: 1, type: 7 }))
      expect(error).toBeInstanceOf(Error)
      expect(error).not.toBeInstanceOf(SchemaUnsupported)
    })
  })
}
