/**
 * The conformance kit can fail: a store that breaks one clause fails that clause and no other.
 */
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import { type ConformanceReport, storeConformance } from "../../../sdk/testing/index.ts"
import { brokenMobs, neverFenced } from "./broken-mobs.ts"
import { brokenReads } from "./broken-reads.ts"
import { brokenWrites } from "./broken-writes.ts"
import { type Breakage } from "./broken.ts"
import { memoryDisk, sharedMemory, type Subject } from "./places.ts"

/** Runs the kit without a runner. */
const report = async (
  { make, supports }: Subject,
  { breaks }: Pick<Breakage, "breaks">
): Promise<ConformanceReport> => {
  const tests: Array<() => Promise<void>> = []
  const run = storeConformance({
    it: (_, test) => tests.push(test),
    make: Effect.map(make, breaks),
    supports
  })
  await Promise.allSettled(tests.map((test) => test()))
  return run.report()
}

const sound = { breaks: (place) => place } satisfies Pick<Breakage, "breaks">
const idOf = (clause: number) => `STORE-${String(clause).padStart(3, "0")}`
const breakages = [...brokenWrites, ...brokenReads, ...brokenMobs]

describe("a store that", () => {
  const failed = new Map<Breakage, ReadonlyArray<string>>()

  // Some at a time: what takes time is waiting for a store to open again.
  beforeAll(() =>
    Effect.runPromise(
      Effect.forEach(breakages, (breakage) =>
        Effect.map(
          Effect.promise(() => report(memoryDisk, breakage)),
          ({ clauses }) =>
            failed.set(
              breakage,
              clauses.flatMap(({ id, outcome, reason }) => outcome === "failed" ? [`${id} ${reason}`] : [])
            )
        ), { concurrency: 8, discard: true })
    ), 120_000)

  it.each(breakages)("$how fails clause $clause and no other", (breakage) => {
    expect(failed.get(breakage)).toEqual([expect.stringContaining(idOf(breakage.clause))])
  })
})

it("every clause that can be tested is broken by one of them", async () => {
  const { clauses } = await report(memoryDisk, sound)
  const tested = clauses.filter(({ outcome }) => outcome !== "untested").map(({ id }) => id)
  expect(breakages.map(({ clause }) => idOf(clause)).toSorted()).toEqual(tested)
})

describe("a store that is shared", () => {
  const outcome = ({ clauses }: ConformanceReport) => clauses.find(({ id }) => id === idOf(60))?.outcome

  it("is tested with two openings over one place", async () => {
    expect(outcome(await report(sharedMemory, sound))).toBe("passed")
  })

  it(`and ${neverFenced.how} fails clause 60`, async () => {
    expect(outcome(await report(sharedMemory, neverFenced))).toBe("failed")
  })
})
