import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { eventsToKeep, retentionOf, runsToForget } from "../../core/machine/retention.ts"
import { RunId } from "../../sdk/ids.ts"

const DAY = 86_400_000
const run = (name: number | string) => RunId.make(`run-${name}`)
const ended = fc.uniqueArray(fc.record({ run: fc.nat(999).map(run), at: fc.nat(100 * DAY) }), {
  selector: (it) => it.run,
  maxLength: 40
})

describe("what a mob keeps", () => {
  it("is 10,000 ended runs, a million events, and either for 30 days, if its definition says nothing", () => {
    expect(retentionOf({})).toEqual({ runs: 10_000, events: 1_000_000, age: 30 * DAY })
  })

  it("is all, where its definition says zero", () => {
    const retention = retentionOf({ max_kept_runs: 0, max_kept_events: 0, max_kept_days: 0 })
    expect(runsToForget(retention, [{ run: run(1), at: 0 }], 1e15)).toEqual([])
    expect(eventsToKeep(retention, 1e9, 1)).toBe(1)
  })

  it("is the youngest runs, as many as are kept, and none that is past its age", () => {
    fc.assert(
      fc.property(ended, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 99 }), (all, runs, days) => {
        const now = 100 * DAY
        const forgotten = new Set(runsToForget({ runs, events: 1, age: days * DAY }, all, now))
        const kept = all.filter((it) => !forgotten.has(it.run))
        expect(kept.length).toBeLessThanOrEqual(runs)
        expect(kept.every((it) => it.at >= now - days * DAY)).toBe(true)
        const oldestKept = Math.min(...kept.map((it) => it.at))
        for (const it of all) {
          if (forgotten.has(it.run)) expect(it.at < now - days * DAY || it.at <= oldestKept).toBe(true)
        }
        // No more goes than must.
        expect(kept.length).toBe(Math.min(runs, all.filter((it) => it.at >= now - days * DAY).length))
      })
    )
  })

  it("is the newest events, as many as are kept, and none before the first that is young enough", () => {
    expect(eventsToKeep({ runs: 1, events: 100, age: 1 }, 1_000, 1)).toBe(901)
    expect(eventsToKeep({ runs: 1, events: 100, age: 1 }, 1_000, 950)).toBe(950)
    expect(eventsToKeep({ runs: 1, events: 100, age: 1 }, 10, 1)).toBe(1)
  })
})
