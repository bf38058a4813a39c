/**
 * Child processes that behave, in Python and in TypeScript; configuration; ending what an earlier host left behind.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Schema, Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import plugin, { subprocessBridge, SubprocessConfig } from "../../plugins/subprocess/index.ts"
import type { BridgeEvent } from "../../sdk/bridge.ts"
import { InputId } from "../../sdk/ids.ts"
import { alive, base, bindChild, delivery, hostile, isExited, isTurnEnded } from "./children.ts"

const noPython = spawnSync("python3", ["--version"]).status !== 0

const isCanceled = (event: BridgeEvent) => event.type === "turn_ended" && event.outcome.status === "canceled"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mob-child-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The member that PROTOCOL.md shows. */
const shown = (): string => {
  const page = readFileSync(resolve(import.meta.dirname, "../../sdk/protocol/PROTOCOL.md"), "utf8")
  const program = /```python\n(.*?)```/s.exec(page)?.[1]
  if (program === undefined) throw new Error("PROTOCOL.md shows no Python member")
  return program
}

/** A stop ladder whose first rung outlasts a test: a member that ends in time has ended by itself. */
const patient = { stop_timeout_ms: 120_000 }

describe("the member in PROTOCOL.md", () => {
  it("is twenty lines and imports the standard library alone", () => {
    const lines = shown().split("\n").filter((line) => line.trim() !== "")
    expect(lines).toHaveLength(20)
    expect(lines.filter((line) => /import/.test(line))).toEqual(["import json, sys"])
  })

  it.live.skipIf(noPython)(
    "works: it runs, deduplicates, repeats and forgets outcomes, and ends when asked (needs python3)",
    () =>
      Effect.gen(function*() {
        const home = yield* folder
        writeFileSync(join(home, "shouter.py"), shown())
        const { connection, events, scope } = yield* bindChild({ command: ["python3", "shouter.py"], ...patient }, home)
        expect(connection).toMatchObject({ outcomes: "memory", observed: [] })
        const text = "gr\u00fc\u00dfe \u{1F600}"
        expect(yield* connection.deliver(delivery("r/1", text))).toBe("accepted")
        expect(yield* connection.deliver(delivery("r/1", text))).toBe("deduplicated")
        yield* connection.cancel(InputId.make("r/1"))
        yield* connection.settled(InputId.make("r/1"))
        expect(yield* connection.deliver(delivery("r/1", text))).toBe("accepted")
        expect(yield* connection.deliver(delivery("r/2", "bye"))).toBe("accepted")
        yield* connection.retire
        yield* Scope.close(scope, Exit.void)
        const ended = (input: string, output: string) => ({
          type: "turn_ended",
          input,
          outcome: { status: "completed", output }
        })
        const shout = "GR\u00dcSSE \u{1F600}"
        expect(events).toEqual([ended("r/1", shout), ended("r/1", shout), ended("r/1", shout), ended("r/2", "BYE")])
      }).pipe(Effect.scoped)
  )
})

describe("a behaviour as a process of its own", () => {
  it.live("runs turns, logs to standard error, and shuts down", () =>
    Effect.gen(function*() {
      const command = [process.execPath, "--conditions=mobwright-source", "--no-warnings", "served.ts"] as const
      const { connection, events, scope, until } = yield* bindChild({ command, env: { GREETING: "hello" }, ...patient })
      expect(yield* connection.deliver(delivery("a", "you"))).toBe("accepted")
      expect((yield* until(isTurnEnded)).outcome).toEqual({ status: "completed", output: "hello you" })
      expect(yield* connection.deliver(delivery("b", "wait"))).toBe("accepted")
      yield* connection.cancel(InputId.make("b"))
      yield* until(isCanceled)
      expect(events.filter(({ type }) => type === "log")).toEqual([{ type: "log", line: "greeting you" }])
      yield* Scope.close(scope, Exit.void)
      expect(events.filter(isExited)).toEqual([])
    }).pipe(Effect.scoped))
})

describe("the command", () => {
  const failure = (config: SubprocessConfig, home?: string) => Effect.flip(Effect.scoped(bindChild(config, home)))

  it.live("with a slash is relative to the definition, and runs in its folder", () =>
    Effect.gen(function*() {
      const home = yield* folder
      copyFileSync(join(base, "hostile.mjs"), join(home, "hostile.mjs"))
      writeFileSync(join(home, "start"), `#!/bin/sh\nexec "$NODE" hostile.mjs ok\n`)
      chmodSync(join(home, "start"), 0o755)
      const { connection } = yield* bindChild({ command: ["./start"], env: { NODE: process.execPath } }, home)
      expect(yield* connection.deliver(delivery("a"))).toBe("accepted")
    }).pipe(Effect.scoped))

  it.live("that is not there, not executable, or has no folder is told as such", () =>
    Effect.gen(function*() {
      const home = yield* folder
      writeFileSync(join(home, "plain"), "")
      expect(yield* failure({ command: ["no-such-program"] }, home)).toMatchObject({
        cause_code: "command_not_found",
        reason: "there is no no-such-program on PATH"
      })
      expect(yield* failure({ command: ["./nothing"] }, home)).toMatchObject({ cause_code: "command_not_found" })
      expect(yield* failure({ command: ["./plain"] }, home)).toMatchObject({ cause_code: "command_not_executable" })
      expect(yield* failure({ command: ["cat"] }, join(home, "none"))).toMatchObject({
        cause_code: "spawn_failed",
        reason: expect.stringContaining("none is not there")
      })
      expect(yield* failure({ command: ["a\0b"] }, home)).toMatchObject({ cause_code: "spawn_failed" })
    }).pipe(Effect.scoped))
})

describe("reap", () => {
  const { reap } = subprocessBridge()
  const reaping = reap ?? (() => Effect.die("the bridge cannot reap"))

  /** A child as an earlier host would have left it, but that this process collects it when it ends. */
  const leftBehind = (habit: string) => Effect.map(bindChild(hostile(habit)), ({ record }) => record)

  it.live("kills the group of a recorded process and awaits its end", () =>
    Effect.gen(function*() {
      const record = yield* leftBehind("ignores-everything")
      expect(alive(record.pgid)).toEqual([record.pid])
      yield* reaping(record)
      expect(alive(record.pgid)).toEqual([])
      yield* reaping(record)
    }).pipe(Effect.scoped))

  it.live("leaves a process alone that is not the recorded one, or of another boot", () =>
    Effect.gen(function*() {
      const record = yield* leftBehind("ok")
      yield* reaping({ ...record, start_ticks: record.start_ticks - 1 })
      yield* reaping({ ...record, boot_id: "another" })
      expect(alive(record.pgid)).toEqual([record.pid])
    }).pipe(Effect.scoped))

  it.live("kills what is left of a group whose leader is gone", () =>
    Effect.gen(function*() {
      const { leader, left } = yield* orphans
      const record = { ...left, pid: leader, pgid: leader }
      expect(alive(leader)).toHaveLength(1)
      yield* reaping(record)
      expect(alive(leader)).toEqual([])
    }).pipe(Effect.scoped))

  it.live.skipIf(noPython)(
    "leaves a group alone that has its leader's number by chance: a job of a shell (needs python3)",
    () =>
      Effect.gen(function*() {
        const { record } = yield* bindChild(hostile("ok"))
        // As a shell does for a job: a group of its own in the session of the shell. Its leader has ended.
        const shell = yield* Effect.acquireRelease(
          Effect.sync(() => spawn("python3", ["-c", job], { detached: true })),
          (child) => Effect.sync(() => end(child))
        )
        const pgid = yield* Effect.callback<number>((resume) => {
          shell.stdout.on("data", (chunk: Buffer) => resume(Effect.succeed(Number(chunk.toString()))))
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(-pgid, "SIGKILL")))
        expect(alive(pgid)).toHaveLength(1)
        yield* reaping({ ...record, pid: pgid, pgid })
        expect(alive(pgid)).toHaveLength(1)
      }).pipe(Effect.scoped)
  )

  const job = `
import os, time
leader = os.fork()
if leader == 0:
    os.setpgid(0, 0)
    if os.fork() == 0: time.sleep(60)
    os._exit(0)
os.waitpid(leader, 0)
print(leader, flush=True)
time.sleep(60)
`

  it.live("never signals everybody or its own group", () =>
    Effect.gen(function*() {
      const record = yield* leftBehind("ok")
      for (const pgid of [0, 1, -1]) yield* reaping({ ...record, pgid })
      expect(alive(record.pgid)).toEqual([record.pid])
    }).pipe(Effect.scoped))

  /** A group without its leader: a shell that started a sleeper and ended. */
  const orphans = Effect.gen(function*() {
    const { record } = yield* bindChild(hostile("ok"))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn("/bin/sh", ["-c", "sleep 60 & exit 0"], { detached: true, stdio: "ignore" })),
      (child) => Effect.sync(() => end(child))
    )
    yield* Effect.callback<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
    })
    return { leader: child.pid ?? 0, left: record }
  })

  const end = (child: ChildProcess) => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL")
    } catch {
      // Nobody is left, as it should be.
    }
  }
})

it("is a plugin, and its configuration is checked", () => {
  expect(plugin.contributes.bridges.map(({ id, lifetime }) => [id, lifetime])).toEqual([["subprocess", "host"]])
  const is = Schema.is(SubprocessConfig)
  expect(is({ command: ["a", "b"], env: { A: "b" }, idle_timeout_ms: 5, max_document_bytes: 4096 })).toBe(true)
  for (
    const config of [{}, { command: [] }, { command: ["a"], stop_timeout_ms: 0 }, {
      command: ["a"],
      max_document_bytes: 5e6
    }]
  ) {
    expect(is(config)).toBe(false)
  }
})
