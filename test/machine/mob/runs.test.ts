import { describe, expect, it } from "vitest"
import { activeRuns, runWithKey } from "../../../core/machine/mob/index.ts"
import { admission, mob, run } from "./fixtures.ts"

describe("admission of a run", () => {
  it("22 refuses a second active run with the same key, naming the first", () => {
    const audit = mob()
    audit.admit("r-1", { key: "k" })
    expect(audit.decide(admission("r-2", { key: "k" }))).toMatchObject({
      code: "run_exists",
      facts: { run_id: "r-1", finished: false }
    })
  })

  it("22 forgets the derived key of a run that ended, and keeps an explicit one", () => {
    const audit = mob()
    audit.admit("r-1", { key: "derived" })
    audit.admit("r-2", { key: "mine", explicit: true })
    audit.do({ type: "run_ended", run: run("r-1"), status: "completed" })
    audit.do({ type: "run_ended", run: run("r-2"), status: "failed" })
    audit.admit("r-3", { key: "derived" })
    expect(audit.decide(admission("r-4", { key: "mine", explicit: true }))).toMatchObject({
      code: "run_exists",
      facts: { run_id: "r-2", finished: true }
    })
  })

  it("R9 a run that is over on disk gives up its key although the mob has not heard of it", () => {
    const audit = mob()
    audit.admit("r-1", { key: "k" })
    const ended = [{ run_id: run("r-1"), status: "completed" as const }]
    expect(audit.do({ ...admission("r-2", { key: "k" }), ended }).facts.map((fact) => fact.type))
      .toEqual(["run_released", "run_admitted"])
    expect(audit.state === undefined ? [] : activeRuns(audit.state)).toEqual(["r-2"])
    expect(audit.state === undefined ? undefined : runWithKey(audit.state, "k")).toEqual({
      run_id: "r-2",
      finished: false
    })
  })

  it("R9 a run that is over on disk still answers for its explicit key", () => {
    const audit = mob()
    audit.admit("r-1", { key: "k", explicit: true })
    const ended = [{ run_id: run("r-1"), status: "completed" as const }]
    expect(audit.decide({ ...admission("r-2", { key: "k", explicit: true }), ended })).toMatchObject({
      code: "run_exists",
      facts: { run_id: "r-1", finished: true }
    })
  })

  it("R12 the same run cannot be admitted twice", () => {
    const audit = mob()
    audit.admit("r-1")
    expect(audit.refusal(admission("r-1"))).toBe("run_exists")
  })

  it("a release that is told again changes nothing", () => {
    const audit = mob()
    audit.admit("r-1")
    audit.do({ type: "run_ended", run: run("r-1"), status: "completed" })
    expect(audit.do({ type: "run_ended", run: run("r-1"), status: "completed" }).facts).toEqual([])
  })

  it("remembers the last 10,000 explicit keys, and no more", () => {
    const audit = mob()
    for (let index = 0; index < 10_001; index++) {
      audit.admit(`r-${index}`, { key: `k-${index}`, explicit: true })
      audit.do({ type: "run_ended", run: run(`r-${index}`), status: "completed" })
    }
    expect(audit.refusal(admission("again", { key: "k-0", explicit: true }))).toBeUndefined()
    expect(audit.refusal(admission("again", { key: "k-1", explicit: true }))).toBe("run_exists")
  })

  it("25 lets go of a run whose facts cannot be folded", () => {
    const audit = mob()
    audit.admit("r-1")
    audit.do({ type: "run_unreadable", run_id: run("r-1"), cause: "unknown fact" })
    expect(audit.refusal({ type: "stop", ended: [] })).toBeUndefined()
  })
})
