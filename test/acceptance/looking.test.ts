/** Looking at a mob while it runs, and at what a crash left: looking starts nothing and writes nothing of ours. */
import { Effect } from "effect"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { inspect } from "../../core/journal/index.ts"
import { mob, start } from "../cli/mob.ts"

const work = mkdtempSync(join(tmpdir(), "mobwright-looking-"))
afterAll(() => rmSync(work, { recursive: true, force: true }))
const hostile = new URL("../plugins/members/hostile.mjs", import.meta.url).pathname
const file = join(work, "mob.toml")
const data = join(work, "data")

writeFileSync(
  file,
  `[mob]
id = "looked-at"
[profiles.silent]
bridge = { use = "subprocess", command = ["node", ${
    JSON.stringify(hostile)
  }, "goes-silent"], env = { MOBWRIGHT_TEST = ${JSON.stringify(work)} } }
[[members]]
identity = "s-1"
profile = "silent"
[flows.main.steps.wait]
role = "silent"
message = "wait"
timeout_ms = 600000
`
)

/** Processes that carry this test's mark. */
const children = () =>
  readdirSync("/proc").filter((it) => /^\d+$/.test(it)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`MOBWRIGHT_TEST=${work}`)
    } catch {
      // It ended while we looked.
      return false
    }
  })

/** Numbers that any write would change. */
const numbers = Effect.gen(function*() {
  const { damage, mobs, mob, seq } = yield* inspect(data)
  const positions = yield* Effect.forEach(
    mobs,
    (id) => Effect.map(mob(id), (it) => [id, it?.epoch, it?.position, it?.latestCursor()])
  )
  return { damage, seq, positions }
}).pipe(Effect.scoped)

const owner = () => existsSync(join(data, "owner.json")) ? readFileSync(join(data, "owner.json"), "utf8") : undefined

it("looking at a mob that runs, and at its store after a kill -9", async () => {
  using host = start(["run", file, "--data", data])
  const seen = await host.seen("wait: sent to s-1")
  const run = /run ([0-9a-f-]{36}) of mob looked-at/.exec(seen)?.[1] ?? ""

  // While it runs. The dispatch is told when it is durable; the member may still be on its way up.
  const ps = async () => JSON.parse((await mob("ps", "--data", data, "--json")).stdout)[0]
  await expect.poll(async () => (await ps()).members[0].pid, { timeout: 20_000 }).toBeGreaterThan(1)
  expect(await ps()).toMatchObject({
    mob_id: "looked-at",
    active_runs: [run],
    members: [{ identity: "s-1", phase: "active" }]
  })
  expect(JSON.parse((await mob("status", run, "--data", data, "--json")).stdout).status).toBe("running")
  using follow = start(["events", "--follow", "--data", data])
  await follow.seen("wait: sent to s-1")
  using second = start(["run", file, "--data", data])
  await second.seen(run)
  await expect.poll(children, { timeout: 20_000 }).toHaveLength(1)

  host.child.kill("SIGKILL")
  await host.ended
  // Those who watched hear of it; the member's stdin is closed, which ends it.
  await Promise.all([follow.ended, second.ended])
  await expect.poll(children, { timeout: 10_000 }).toEqual([])

  // What the crash left.
  const before = await Effect.runPromise(numbers)
  const left = owner()
  expect(before.damage).toBeUndefined()
  for (const command of [["ps"], ["tree"], ["runs"], ["status", run], ["events"], ["events", "--follow"]]) {
    const { exit, stdout } = await mob(...command, "--data", data, "--json")
    expect(exit, command.join(" ")).toBe(0)
    if (command[0] === "status") expect(JSON.parse(stdout).status).toBe("running")
  }
  expect(children()).toEqual([])
  expect(owner()).toBe(left)
  expect(await Effect.runPromise(numbers)).toEqual(before)
}, 60_000)
