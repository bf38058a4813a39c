/** A mob that its operator stopped. */
import { Effect } from "effect"
import { loadDefinition, Mobs, runtime } from "mobwright"
import { localBridge } from "mobwright/plugins/local"
import { describe, expect, it } from "vitest"
import { dataDir, fixture, mob } from "./mob.ts"

describe("mob run of a stopped mob", () => {
  it("says so, starts nothing, and ends with 1", async () => {
    using data = dataDir()
    const file = fixture("mob.toml")
    await Effect.runPromise(
      Effect.gen(function*() {
        const stopped = yield* (yield* Mobs).openOrCreate(yield* loadDefinition(file))
        yield* stopped.stop
      }).pipe(Effect.scoped, Effect.provide(runtime({ dir: data.dir, bridges: [localBridge()] })))
    )
    const { exit, stderr, stdout } = await mob("run", file, "--param", "name=Ann", "--data", data.dir)
    expect(exit).toBe(1)
    expect(stdout).toBe("")
    expect(stderr).toContain("stopped")
    expect(stderr).toContain("[INVALID_TRANSITION]")
    expect((await mob("runs", "--data", data.dir, "--json")).stdout.trim()).toBe("[]")
  })
})
