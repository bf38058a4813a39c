/** The kill test's own eyes: what they must not overlook. */
import { spawn } from "node:child_process"
import { describe, expect, it } from "vitest"
import { type Line, type Log, overlaps, survivors, untrue } from "./evidence.ts"

const line = (pid: number, fence: number, what: Line["what"] = "executed"): Line => ({
  pid,
  identity: "a",
  fence,
  what
})

describe("the evidence", () => {
  it("shows a process that writes after its successor's first line, and a fence that does not rise", () => {
    expect(overlaps([line(1, 1, "started"), line(1, 1), line(2, 2, "started"), line(2, 2)])).toEqual([])
    const late: Line = { pid: 1, identity: "a", what: "lives on" }
    expect(overlaps([line(1, 1), late, line(2, 2), late, line(2, 2), late])).toHaveLength(1)
    expect(overlaps([line(1, 2), line(2, 2)])).toHaveLength(1)
    expect(overlaps([line(1, 1), { ...line(2, 1), identity: "b" }])).toEqual([])
  })

  it("shows progress that the log does not bear out", () => {
    const done = { type: "step_target_completed", step_id: "cut", target: "worker-1" }
    const log: Log = { runs: [], cursors: [1], events: [done] }
    expect(untrue(log, "cut: sent to worker-1\ncut: worker-1 done\n")).toEqual([])
    expect(untrue(log, "cut: worker-1 done\ncut: worker-1 done\n")).toHaveLength(1)
    expect(untrue(log, "started run 1 of mob killed\n")).toHaveLength(1)
  })

  it("shows a member that still runs", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "member.mjs"])
    const { pid = 0 } = child
    await new Promise((resolve) => child.once("spawn", resolve))
    expect(survivors([line(pid, 1), line(pid, 1), line(process.pid, 1)])).toEqual([pid])
    child.kill("SIGKILL")
    await new Promise((resolve) => child.once("exit", resolve))
    expect(survivors([line(pid, 1)])).toEqual([])
  })
})
