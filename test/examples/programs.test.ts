/** The small examples, run as a new user would. */
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const run = promisify(execFile)
const root = new URL("../..", import.meta.url).pathname

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "mobwright-examples-"))
})
afterAll(() => rm(work, { recursive: true, force: true }))

const example = async (name: string, data: string) => {
  const options = ["--conditions=mobwright-source", "--no-warnings", join(root, "examples", name, "main.ts")]
  const { stderr, stdout } = await run(process.execPath, [...options, join(work, data)])
  expect(stderr).toBe("")
  return stdout.trimEnd().split("\n")
}

describe("examples/effect-program", () => {
  it("spawns, submits, runs a flow, handles typed errors, and finds its mob again", async () => {
    const first = await example("effect-program", "effect")
    expect(first).toEqual([
      "ada (writer), generation 1",
      "grace (writer), generation 1",
      "the editor (editor), generation 1",
      "All you need to know about actors.",
      "grace: NO_TOPIC: a writer needs a topic",
      "article completed",
      "1. All you need to know about supervision.",
      "2. All you need to know about fences.",
      "3. All you need to know about journals.",
      "FLOW_NOT_FOUND: mob newsroom has no flow obituary; it has article"
    ])
    const second = await example("effect-program", "effect")
    expect(second[0]).toContain("has a member grace already")
    expect(second[2]).toBe("grace (writer), generation 2")
    expect(second.slice(4)).toEqual(first.slice(3))
  })
})

describe("examples/bridge-plugin", () => {
  it("reaches members over its own bridge, and a crashed one comes back", async () => {
    expect(await example("bridge-plugin", "bridge")).toEqual([
      "12 = 2 * 2 * 3",
      "97 = 97",
      "1001 = 7 * 11 * 13",
      "600851475143 = 71 * 839 * 1471 * 6857",
      "f-1: worker_error: not a positive whole number: crash",
      "f-1 is in its generation 2, restarts: 1"
    ])
  })
})
