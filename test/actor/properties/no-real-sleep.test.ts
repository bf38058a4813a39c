/**
 * No test of actors waits for real time: not by a timer of the process, not by blocking, not by Effect's own test clock,
 * and by `Effect.sleep` only where the clock is virtual.
 */
import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"

type File = readonly [name: string, text: string]

const folder = new URL("..", import.meta.url).pathname
const self = basename(new URL(import.meta.url).pathname)

const files: ReadonlyArray<File> = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && basename(name) !== self)
  .map((name) => [name, readFileSync(join(folder, name), "utf8")])

/** What waits for real time, wherever it stands; a name that is only replaced, as to refuse it, is no call. */
const REAL = [
  /\b(setTimeout|setInterval)\s*\(|\bpromisify\s*\(\s*setTimeout\b/,
  /\b(from|import|require)\s*\(?\s*["'](node:)?timers(\/promises)?["']/,
  /\bAtomics\s*\.\s*wait/,
  /\bscheduler\s*\.\s*wait/,
  /\b(exec|execSync|spawn|spawnSync)\s*\(\s*["'`]sleep\b/,
  /\bTestClock\b/
]

/** What asks the clock that is provided. */
const ASKS_A_CLOCK = /\bEffect\s*\.\s*(sleep|delay|timeout\w*|schedule\w*)\b|\bSchedule\s*\./
/** What provides a virtual one. */
const VIRTUAL = /\b(TestSystem|VirtualTime|underSeeds|everySystem)\b/
/** What runs an effect. */
const RUNS = /\bit\s*(\.\s*(effect|live|for|each|prop|scoped)\b|\()|\bEffect\s*\.\s*run(Promise|Fork|Callback)\w*\s*\(/
/** What runs it on the clock of the process. */
const LIVE = /\bit\s*\.\s*live\b/

/** Those that may wait for real time. */
const offenders = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files.filter(([, text]) => {
    if (REAL.some((it) => it.test(text))) return true
    return ASKS_A_CLOCK.test(text) && RUNS.test(text) && (LIVE.test(text) || !VIRTUAL.test(text))
  }).map(([name]) => name)

describe("tests of actors", () => {
  it("wait for no real time", () => {
    expect(files.length).toBeGreaterThan(15)
    expect(offenders(files)).toEqual([])
  })

  it("are caught when they do", () => {
    const virtual = "import { TestSystem } from \"../../core/testing/index.ts\"\n"
    const caught: ReadonlyArray<File> = [
      ["timer", `${virtual}setTimeout(done, 5)`],
      ["interval", `${virtual}const stop = setInterval (look, 5)`],
      ["promisified", "await promisify(setTimeout)(5)"],
      ["promises", "import { setTimeout as wait } from \"node:timers/promises\""],
      ["block", "Atomics.wait(cell, 0, 0, 5)"],
      ["process", "execSync(\"sleep 1\")"],
      ["bare", `${virtual}yield* TestClock.adjust("1 second")`],
      ["live", `${virtual}it.live("x", () => Effect.sleep(5))`],
      ["unprovided", "it(\"x\", () => Effect.runPromise(Effect.delay(work, 5)))"]
    ]
    expect(offenders(caught)).toEqual(caught.map(([name]) => name))
    expect(offenders([
      ["virtual", `${virtual}it.effect("x", () => Effect.sleep(5).pipe(Effect.provide(TestSystem.layer())))`],
      ["fixture", "export const slow = Effect.sleep(5)"],
      ["refusing", "globalThis.setTimeout = refuse(\"setTimeout\")"],
      ["at once", "it.live(\"x\", () => Effect.yieldNow)"]
    ])).toEqual([])
  })
})
