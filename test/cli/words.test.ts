import { Cause, Exit } from "effect"
import { execFileSync } from "node:child_process"
import { statSync } from "node:fs"
import { describe, expect, it } from "vitest"
import type { TreeNode } from "../../core/actor/index.ts"
import { SOCKET_PATH_LIMIT, socketPath } from "../../core/cli/control/path.ts"
import { endOf } from "../../core/cli/failure.ts"
import { continueCommand, dataDirOf, flowOf, paramsOf, quoted } from "../../core/cli/params.ts"
import { duration, eventLine, table, treeText } from "../../core/cli/print.ts"
import { RunNotFound } from "../../core/mob/index.ts"
import type { Definition } from "../../sdk/definition/index.ts"
import { StoreCorrupted } from "../../sdk/store.ts"

const withFlows = (...flows: ReadonlyArray<string>): Definition => ({
  id: "m",
  profiles: [],
  members: [],
  flows: flows.map((id) => [id, { steps: [], root: { nodes: [] } }]),
  limits: {},
  on_resume: "continue",
  extra: {}
})

describe("the flow of mob run", () => {
  it("is the one asked for, else main, else the only one, else a question that lists them", () => {
    expect(flowOf(withFlows("a", "main"), "a")).toBe("a")
    expect(flowOf(withFlows("a", "main"), undefined)).toBe("main")
    expect(flowOf(withFlows("a"), undefined)).toBe("a")
    expect(flowOf(withFlows("a", "b"), undefined)).toMatchObject({
      exit: 2,
      text: "which flow? Say --flow ID; it has a, b"
    })
    expect(flowOf(withFlows(), undefined)).toMatchObject({ exit: 2 })
    expect(flowOf(withFlows("main"), "b")).toMatchObject({
      code: "FLOW_NOT_FOUND",
      exit: 2,
      text: expect.stringContaining("main")
    })
  })
})

describe("params", () => {
  it("are the JSON object with the pairs over it; a value is JSON if it parses, else text", () => {
    expect(paramsOf({ params: undefined, param: {} })).toEqual({})
    expect(paramsOf({ params: "{\"a\": 1, \"b\": 2}", param: { b: "three", c: "[1]", d: "\"1\"", e: "1.5", f: "" } }))
      .toEqual({ a: 1, b: "three", c: [1], d: "1", e: 1.5, f: "" })
    for (const params of ["[1]", "1", "{", "null"]) {
      expect(paramsOf({ params, param: {} })).toMatchObject({ code: "PARAMS_INVALID" })
    }
  })
})

describe("the command that continues a run", () => {
  it("survives a shell, whatever is in it", () => {
    const words = ["it's", "a b", "$HOME", "`x`", "\"", "\\", "-x", "é", "", "a\nb"]
    const printed = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(quoted).join(" ")}`], { encoding: "utf8" })
    expect(printed.split("\0").slice(0, -1)).toEqual(words)
  })

  it("says what was said, with the params merged, and nothing else", () => {
    const options = {
      file: "my mob.toml",
      flow: undefined,
      params: undefined,
      param: { a: "1" },
      key: undefined,
      data: undefined,
      json: false
    }
    expect(continueCommand(options, "main", {})).toBe("mob run 'my mob.toml'")
    expect(continueCommand({ ...options, flow: "f", key: "k", data: "d" }, "f", { a: 1 }))
      .toBe(`mob run 'my mob.toml' --flow f --params '{"a":1}' --key k --data d`)
  })

  it("the data directory is beside the definition unless said", () => {
    expect(dataDirOf("/a/b/mob.toml", undefined)).toBe("/a/b/.mob")
    expect(dataDirOf("/a/b/mob.toml", "/c")).toBe("/c")
  })
})

describe("the control socket's path", () => {
  it("is in the data directory while that is short enough for the kernel", () => {
    expect(socketPath("/short")).toBe("/short/control.sock")
    const longest = `/${"x".repeat(SOCKET_PATH_LIMIT - "//control.sock".length)}`
    expect(socketPath(longest)).toBe(`${longest}/control.sock`)
    const far = socketPath(`${longest}x`)
    expect(Buffer.byteLength(far)).toBeLessThanOrEqual(SOCKET_PATH_LIMIT)
    expect(socketPath(`${longest}y`)).not.toBe(far)
    const folder = statSync(far.slice(0, far.lastIndexOf("/")))
    expect(folder.mode & 0o777).toBe(0o700)
  })
})

describe("the end of a command", () => {
  it("is a line with code and message, and the exit code of its kind", () => {
    const of = (error: unknown, json = false) => endOf(Exit.fail(error), json)
    expect(endOf(Exit.void, false)).toEqual({ exit: 0, text: "" })
    expect(of(new RunNotFound({ mob: "m", run: "r" }))).toEqual({
      exit: 2,
      text: "mob: mob m has no run r [RUN_NOT_FOUND]\n"
    })
    expect(of(new StoreCorrupted({ where: "here", what: "gone", remedy: "restore it" })).exit).toBe(3)
    expect(JSON.parse(of(new RunNotFound({ mob: "m", run: "r" }), true).text)).toEqual({
      code: "RUN_NOT_FOUND",
      message: "mob m has no run r"
    })
    expect(endOf(Exit.failCause(Cause.interrupt(1)), false)).toEqual({ exit: 130, text: "" })
  })

  it("a defect shows its message and INTERNAL, and no stack", () => {
    const { exit, text } = endOf(Exit.die(Object.assign(new Error("boom"), { code: "RUN_NOT_FOUND" })), false)
    expect([exit, text]).toEqual([
      1,
      "mob: boom; this is a defect of mob: please report it, with what MOB_DEBUG=1 shows [INTERNAL]\n"
    ])
  })
})

describe("what people read", () => {
  it("durations", () => {
    expect([0, 999, 1000, 59_999, 61_000, 3_600_000 + 120_000].map(duration))
      .toEqual(["0 ms", "999 ms", "1.0 s", "60.0 s", "1 min 1 s", "1 h 2 min"])
  })

  it("tables line up and leave no spaces at the end", () => {
    expect(table(["A", "LONG", "C"], [["1", "2", ""], ["333", "4", "5"]])).toBe("A    LONG  C\n1    2\n333  4     5")
  })

  it("events of a run are short, unknown ones show their fields", () => {
    expect(eventLine({ type: "step_target_failed", run_id: "r", step_id: "scan", target: "w-1", reason: "no" })).toBe(
      "scan: w-1 failed: no"
    )
    expect(eventLine({ type: "step_skipped", run_id: "r", step_id: "scan" })).toBe("scan: skipped")
    expect(eventLine({ type: "new_thing", a: 1, b: ["x"] })).toBe("new_thing a=1 b=[\"x\"]")
  })

  const leaf = (name: string, more: Partial<TreeNode> = {}): TreeNode => ({
    name,
    path: `/${name}`,
    status: "running",
    mailbox: 0,
    processed: 0,
    restarts: 0,
    children: [],
    ...more
  })

  it("trees show what hangs on what, and nact's paths", () => {
    const a = leaf("a", { path: "/c1", children: [leaf("b", { path: "/c1/k/c2" }), leaf("c", { path: "/c1/k/c3" })] })
    expect(treeText(leaf("system", { path: "/", children: [a, leaf("d", { path: "/c4", children: [leaf("e")] })] })))
      .toBe(
        [
          "system  /",
          "|- a  /c1",
          "|  |- b  /c1/k/c2",
          "|  `- c  /c1/k/c3",
          "`- d  /c4",
          "   `- e  /e"
        ].join("\n")
      )
  })

  it("trees say of a cell only what is unusual", () => {
    const lastFailure = { at: 1_700_000_000_000, message: "no paper" }
    expect(treeText(leaf("a", { processed: 9 }))).toBe("a  /a")
    expect(treeText(leaf("a", { restarts: 1 }))).toBe("a  /a  (1 restart)")
    expect(treeText(leaf("a", { status: "suspended", mailbox: 3 }))).toBe("a  /a  (suspended, 3 waiting)")
    expect(treeText(leaf("a", { status: "restarting", restarts: 2, lastFailure }))).toBe(
      "a  /a  (restarting, 2 restarts, 2023-11-14T22:13:20Z failed: no paper)"
    )
  })

  it("trees keep a cell to its line, and the terminal from obeying what a cell failed with", () => {
    const failed = (message: string) => treeText(leaf("a\n`- b", { path: "/c9", lastFailure: { at: 0, message } }))
    const start = "a `- b  /c9  (1970-01-01T00:00:00Z failed: "
    expect(failed("no\n  paper\r\n\u001b[2Jleft\n")).toBe(`${start}no paper [2Jleft)`)
    expect(failed("x".repeat(81))).toBe(`${start}${"x".repeat(77)}...)`)
  })
})
