/** Runs, suspends, continues, looks and cancels; with real processes where a signal or a second process is the claim. */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { dataDir, fixture, inProcess, mob, start } from "./mob.ts"

const file = fixture("mob.toml")
const runIn = (text: string) => /run ([0-9a-f-]{36}) of mob errands/.exec(text)?.[1] ?? ""
const gated = (data: string, ...more: ReadonlyArray<string>) => [
  "run",
  file,
  "--flow",
  "gated",
  "--param",
  `gate=${join(data, "gate")}`,
  "--data",
  data,
  ...more
]

describe("mob run", () => {
  it("prints a line per step on stderr and the result on stdout, and ends with 0", async () => {
    using data = dataDir()
    const { exit, stderr, stdout } = await mob("run", file, "--param", "name=Ann", "--data", data.dir)
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ steps: { greet: "hello Ann", part: "hello Ann, and good bye" } })
    for (
      const line of [
        "greet: sent to r-1",
        "greet: completed",
        "part: sent to r-1",
        "part: completed",
        "flow main completed"
      ]
    ) {
      expect(stderr.split("\n")).toContain(line)
    }
  })

  it("with --json prints the run record; under an explicit key an ended run is shown again", async () => {
    using data = dataDir()
    const args = [
      "run",
      file,
      "--params",
      "{\"name\": \"Ann\", \"more\": 1}",
      "--param",
      "name=\"Bob\"",
      "--key",
      "k",
      "--data",
      data.dir,
      "--json"
    ]
    const first = await mob(...args)
    const record = JSON.parse(first.stdout)
    expect(record).toEqual({
      run_id: expect.any(String),
      flow_id: "main",
      status: "completed",
      params: { name: "Bob", more: 1 },
      steps: {
        greet: { status: "completed", output: "hello Bob" },
        part: { status: "completed", output: "hello Bob, and good bye" }
      },
      output: { steps: { greet: "hello Bob", part: "hello Bob, and good bye" } },
      started_at: expect.any(Number),
      completed_at: expect.any(Number)
    })
    const again = await mob(...args)
    expect(again.exit).toBe(0)
    expect(again.stderr).toContain("ended before")
    expect(JSON.parse(again.stdout)).toEqual(record)
  })

  it("ends with 1 when the run fails, and says where its steps are", async () => {
    using data = dataDir()
    const { exit, stderr, stdout } = await mob("run", file, "--flow", "broken", "--data", data.dir)
    expect([exit, stdout]).toEqual([1, ""])
    expect(stderr).toContain("only: failed: on purpose")
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
      /^mob: run .* of flow broken failed; its steps: mob status .* \[RUN_FAILED\]$/
    )
  })

  it("suspends at SIGINT, and the command that it prints continues the same run", async () => {
    using data = dataDir()
    using first = start(gated(data.dir))
    const id = runIn(await first.seen("second: sent to r-1"))
    first.child.kill("SIGINT")
    const { exit, stderr } = await first.ended
    expect(exit).toBe(130)
    const command = /continue with: mob (.*) \[INTERRUPTED\]\n$/.exec(stderr)?.[1] ?? ""
    // Read by a shell, as a person would have it.
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" }).trimEnd().split("\n")
    const looked = await mob("runs", "--data", data.dir)
    expect(looked.stdout).toMatch(new RegExp(`${id} +gated +suspended`))
    using second = inProcess(...words)
    expect(runIn(await second.seen("attached to run"))).toBe(id)
    writeFileSync(join(data.dir, "gate"), "")
    const done = await second.ended
    expect(done.exit).toBe(0)
    expect(JSON.parse(done.stdout)).toHaveProperty("steps.second")
    expect(done.stderr).not.toContain("first: sent to")
  })

  it("started twice at once is one run, and both see its end", async () => {
    using data = dataDir()
    using one = start(gated(data.dir, "--json"))
    using two = start(gated(data.dir, "--json"))
    const ids = await Promise.all([one, two].map(async (it) => runIn(await it.seen("of mob errands"))))
    expect(ids[1]).toBe(ids[0])
    writeFileSync(join(data.dir, "gate"), "")
    const ended = await Promise.all([one.ended, two.ended])
    expect(ended.map((it) => it.exit)).toEqual([0, 0])
    expect(JSON.parse(ended[0].stdout)).toEqual(JSON.parse(ended[1].stdout))
  })

  it("stops at once at a second signal, whatever does not want to end", async () => {
    using data = dataDir()
    using held = start(["run", file, "--flow", "stubborn", "--data", data.dir])
    await held.seen("only: sent to r-1")
    held.child.kill("SIGINT")
    await held.seen("suspending; a second signal stops at once")
    held.child.kill("SIGINT")
    expect((await held.ended).exit).toBe(130)
  })

  it("continues what a kill -9 interrupted, and names it", async () => {
    using data = dataDir()
    using first = start(gated(data.dir))
    const id = runIn(await first.seen("second: sent to r-1"))
    first.child.kill("SIGKILL")
    await first.ended
    writeFileSync(join(data.dir, "gate"), "")
    const other = await mob("run", file, "--param", "name=Ann", "--data", data.dir)
    expect(other.exit).toBe(0)
    expect(other.stderr).toContain(`run ${id} was interrupted and goes on too`)
  })
})

describe("a data directory that no process holds", () => {
  it("can be looked at, and a run in it canceled", async () => {
    using data = dataDir()
    using first = start(gated(data.dir))
    const id = runIn(await first.seen("second: sent to r-1"))
    first.child.kill("SIGKILL")
    await first.ended

    const ps = JSON.parse((await mob("ps", "--data", data.dir, "--json")).stdout)
    expect(ps).toMatchObject([{
      mob_id: "errands",
      phase: "running",
      active_runs: [id],
      members: [{ identity: "r-1", phase: "active" }]
    }])
    const status = await mob("status", id, "--data", data.dir, "--json")
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: "running",
      steps: { first: { status: "completed", output: { "r-1": "one" } }, second: { status: "dispatched" } }
    })
    expect((await mob("tree", "--data", data.dir, "--json")).stdout).toBe("null\n")

    const canceled = await mob("cancel", id, "--data", data.dir, "--json")
    expect(canceled.exit).toBe(0)
    expect(JSON.parse(canceled.stdout)).toMatchObject({
      run_id: id,
      status: "canceled",
      steps: { second: { status: "canceled" } }
    })
    expect(JSON.parse((await mob("cancel", id, "--data", data.dir, "--json")).stdout)).toEqual(
      JSON.parse(canceled.stdout)
    )
    const events = (await mob("events", "--data", data.dir, "--json")).stdout.trimEnd().split("\n").map((it) =>
      JSON.parse(it)
    )
    expect(events.map((it) => it.cursor)).toEqual(events.map((_, index) => index + 1))
    expect(events.at(-1).event).toMatchObject({ type: "flow_canceled", run_id: id })
    const after = await mob("events", "--after", String(events.length - 1), "--data", data.dir, "--json")
    expect(JSON.parse(after.stdout)).toEqual(events.at(-1))

    // The next host finds it ended and starts anew.
    writeFileSync(join(data.dir, "gate"), "")
    const next = await mob(...gated(data.dir, "--json"))
    expect(next.exit).toBe(0)
    expect(JSON.parse(next.stdout).run_id).not.toBe(id)
    expect((await mob("status", "nobody", "--data", data.dir)).exit).toBe(2)
  })
})

describe("mob up", () => {
  it("says when it is ready, serves the other commands, and ends with 0 at SIGTERM", async () => {
    using data = dataDir()
    using host = start(["up", file, "--data", data.dir, "--log", "json"])
    await host.seen("\"type\":\"ready\"")

    using follower = inProcess("events", "--data", data.dir, "--follow", "--json")
    await follower.seen("mob_created")
    const ran = await mob("run", file, "--param", "name=Ann", "--data", data.dir, "--json")
    expect(ran.exit).toBe(0)
    expect(ran.stderr).toContain(`process ${host.child.pid} holds`)
    const { run_id } = JSON.parse(ran.stdout)
    await follower.seen("flow_completed")
    follower.signal("SIGINT")
    expect((await follower.ended).exit).toBe(130)

    using client = inProcess(...gated(data.dir))
    const id = runIn(await client.seen("second: sent to r-1"))
    client.signal("SIGINT")
    expect(await client.ended).toMatchObject({
      exit: 130,
      stderr: expect.stringContaining("the run goes on in process")
    })
    expect(JSON.parse((await mob("status", id, "--data", data.dir, "--json")).stdout).status).toBe("running")

    const [ps] = JSON.parse((await mob("ps", "--data", data.dir, "--json")).stdout)
    expect(ps).toMatchObject({ mob_id: "errands", pid: host.child.pid, active_runs: [id] })
    expect((await mob("tree", "--data", data.dir)).stdout).toContain("member r-1")
    const runs = JSON.parse((await mob("runs", "--data", data.dir, "--json")).stdout)
    expect(runs.map((it: { readonly run_id: string }) => it.run_id)).toEqual([id, run_id])
    const canceled = await mob("cancel", id, "--data", data.dir, "--json")
    expect(JSON.parse(canceled.stdout)).toMatchObject({ run_id: id, status: "canceled" })

    const second = await mob("up", file, "--data", data.dir)
    expect(second).toMatchObject({ exit: 3, stderr: expect.stringContaining(`process ${host.child.pid} holds`) })

    host.child.kill("SIGTERM")
    const { exit, stderr, stdout } = await host.ended
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ type: "ready", mob_id: "errands", pid: host.child.pid, data: data.dir })
    const log = stderr.trimEnd().split("\n").map((it) => JSON.parse(it))
    expect(log.map((it) => it.type)).toEqual(
      expect.arrayContaining(["flow_started", "flow_canceled", "closing", "closed"])
    )
  })

  it("tells a waiting client that it closes", async () => {
    using data = dataDir()
    using host = start(["up", file, "--data", data.dir])
    await host.seen("ready: mob errands")
    using client = inProcess(...gated(data.dir))
    await client.seen("second: sent to r-1")
    host.child.kill("SIGTERM")
    const ended = await client.ended
    expect(ended.exit).toBe(1)
    expect(ended.stderr).toMatch(/\[(MOB_CLOSED|HOST_GONE)\]\n$/)
    expect((await host.ended).exit).toBe(0)
  })
})
