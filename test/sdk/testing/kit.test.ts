/**
 * The conformance kit itself: what it registers, and what its report says of what was not shown to hold.
 */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { type ClauseResult, storeConformance, type StoreConformanceOptions } from "../../../sdk/testing/index.ts"
import { memory, memoryDisk } from "./places.ts"

/** A runner that runs on demand. */
const runner = (options: Omit<StoreConformanceOptions, "it">) => {
  const tests = new Map<string, () => Promise<void>>()
  const skipped: Array<string> = []
  const register = (name: string, test: () => Promise<void>) => tests.set(name, test)
  const kit = storeConformance({
    ...options,
    it: Object.assign(register, { skip: (name: string) => skipped.push(name) })
  })
  const clause = (id: string): ClauseResult => kit.report().clauses.find((it) => it.id === id)!
  const run = (id: string) => [...tests].find(([name]) => name.startsWith(id))![1]()
  return { tests, skipped, clause, run }
}

describe("the conformance kit", () => {
  it("names each test by its clause, and shows what it cannot test as skipped, with the reason", () => {
    const { clause, skipped, tests } = runner(memory)
    expect([...tests.keys()]).toContain("STORE-008 required: mobs are all that were acquired, by name")
    expect(skipped.map((name) => name.slice(0, 9))).toContain("STORE-066")
    expect(skipped.find((name) => name.startsWith("STORE-054"))).toMatch(/\(the store is not durable\)$/)
    expect(clause("STORE-054")).toMatchObject({ outcome: "untested", reason: "the store is not durable" })
    expect(tests.size + skipped.length).toBe(70)
  })

  it("reports each clause as its test ends", async () => {
    const { clause, run } = runner(memory)
    expect(clause("STORE-008")).toMatchObject({ outcome: "untested", reason: "its test did not run" })
    const running = run("STORE-008")
    expect(clause("STORE-008")).toMatchObject({ outcome: "failed", reason: "its test did not end" })
    await running
    expect(clause("STORE-008")).toEqual({
      id: "STORE-008",
      title: "mobs are all that were acquired, by name",
      level: "required",
      outcome: "passed"
    })
  })

  it("does not test failed writes where none can be made to fail", async () => {
    const { clause, run } = runner({ ...memory, make: Effect.map(memory.make, ({ open }) => ({ open })) })
    await run("STORE-061")
    expect(clause("STORE-061")).toMatchObject({
      outcome: "untested",
      reason: "writes of this place cannot be made to fail"
    })
  })

  it("does not fail a store for what is optional and not done", async () => {
    const deaf = Effect.map(memory.make, (place) => ({
      open: Effect.map(place.open, (store) => ({
        ...store,
        acquire: (mob: Parameters<typeof store.acquire>[0]) =>
          Effect.map(store.acquire(mob), (log) => ({ ...log, listen: () => () => {} }))
      }))
    }))
    const { clause, run } = runner({ ...memory, make: deaf })
    await run("STORE-036")
    expect(clause("STORE-036")).toMatchObject({ level: "optional", outcome: "untested" })
    expect(clause("STORE-036").reason).toMatch(/it asked for no head within \d+ entries/)
  })

  it("fails a store that does not answer, when its time is over", async () => {
    const mute = Effect.map(memory.make, (place) => ({
      open: Effect.map(place.open, (store) => ({ ...store, mobs: Effect.never }))
    }))
    const { clause, run } = runner({ ...memory, make: mute, within: "20 millis" })
    await expect(run("STORE-008")).rejects.toThrow("it did not end in time")
    expect(clause("STORE-008")).toMatchObject({ outcome: "failed", reason: "it did not end in time" })
  })

  it("fails where there is no place, and says why", async () => {
    const { run } = runner({ ...memory, make: Effect.fail(new Error("no database to test with")) })
    await expect(run("STORE-008")).rejects.toThrow(/^STORE-008 required: .*\nno database to test with$/)
  })

  it("removes the place of a clause after its store was closed", async () => {
    const heard: Array<string> = []
    const say = (what: string) => Effect.addFinalizer(() => Effect.sync(() => heard.push(what)))
    const make = Effect.gen(function*() {
      const { open } = yield* memoryDisk.make
      yield* say("removed")
      return { open: Effect.tap(open, () => say("closed")) }
    })
    await runner({ ...memoryDisk, make }).run("STORE-008")
    expect(heard).toEqual(["closed", "removed"])
  })
})
