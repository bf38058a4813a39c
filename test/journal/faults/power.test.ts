/**
 * The loss of power, and the end of the process, at any moment: what was acknowledged is there, nothing is half, and the
 * store opens and goes on. Under the journal stand an abstract-level and files in memory that keep synced and unsynced
 * apart. `MOB_SEED` runs one seed alone.
 */
import { describe, expect, it, vi } from "vitest"
import type { Commit } from "../../../core/journal/index.ts"
import { soak } from "../logs.ts"
import type { RealFiles } from "./machine-files.ts"
import { type Broken, play, Tally } from "./power-world.ts"

vi.mock("level", () => import("./machine-level.ts"))
vi.mock("node:fs", async (original) => {
  const real = await original<RealFiles>()
  const files = (await import("./machine-files.ts")).machineFiles(real)
  return { ...files, default: files }
})

const alone = process.env["MOB_SEED"]
const seeds = alone === undefined ? Array.from({ length: soak ? 2000 : 100 }, (_, index) => index + 1) : [Number(alone)]

/** What a seed ends with on a journal that is broken like this; undefined if all of these pass. */
const found = async (broken: Broken): Promise<string | undefined> => {
  for (let seed = 1; seed <= 60; seed++) {
    try {
      await play(seed, new Tally(), broken)
    } catch (error) {
      return String(error)
    }
  }
  return undefined
}

/** Acknowledges what it has only begun to write. */
const hurried = (commit: Commit): Commit => (operations, done) => {
  commit(operations, () => {})
  setImmediate(done)
}

/** Writes a group in two batches. */
const halved = (commit: Commit): Commit => (operations, done) => {
  const half = operations.length >> 1
  if (half === 0) return commit(operations, done)
  commit(operations.slice(0, half), (error) => error ? done(error) : commit(operations.slice(half), done))
}

describe("the loss of power", () => {
  it("leaves all that was acknowledged and nothing half, whenever it comes", async () => {
    const tally = new Tally()
    for (const seed of seeds) await play(seed, tally)
    console.info([...tally.counts].sort().map(([what, count]) => `${what} ${count}`).join(", "))
    if (alone !== undefined) return
    // The seeds are worth what they came to.
    for (
      const what of ["committed", "pruned", "destroyed", "kept", "succeeded", "ended in a callback", "ended by power"]
    ) {
      expect(tally.counts.get(what) ?? 0, what).toBeGreaterThan(10)
    }
  }, 1_800_000)

  it("finds a store that acknowledges before it has written", async () => {
    expect(await found({ wrap: hurried })).toMatch(/acknowledged/)
  }, 60_000)

  it("finds a store that writes a group in two batches", async () => {
    expect(await found({ wrap: halved })).toBeDefined()
  }, 60_000)

  it.each(
    [["batches", "batch"], ["files", "file"], ["the names in folders", "folder"]] as const
  )("finds a store that does not sync %s", async (_, lie) => {
    expect(await found({ lies: [lie] })).toMatch(/no prefix|is not there|is missing|do not have the hash/)
  }, 60_000)
})
