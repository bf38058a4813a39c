/** `mob store` beside a process that runs the mob. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { dataDir, fixture, mob, start } from "./mob.ts"

const file = fixture("mob.toml")

describe("mob store, while a process holds the data directory", () => {
  it("backs up the running mob; restored elsewhere it continues from there, and the first one too", async () => {
    using data = dataDir()
    const [dir, target, backup, gate] = ["data", "target", "backup", "gate"].map((name) => join(data.dir, name))
    if (dir === undefined || target === undefined || backup === undefined || gate === undefined) return
    using host = start(["run", file, "--flow", "gated", "--param", `gate=${gate}`, "--data", dir])
    const id = /run ([0-9a-f-]{36}) of mob errands/.exec(await host.seen("second: sent to r-1"))?.[1] ?? ""
    const made = await mob("store", "backup", backup, "--data", dir, "--json")
    expect(made).toMatchObject({ exit: 0, stderr: "" })
    expect(JSON.parse(made.stdout)).toMatchObject({ file: backup, mobs: [{ mob: "errands", epoch: 1 }] })
    expect((await mob("store", "export", join(data.dir, "one"), "--data", dir)).exit).toBe(0)
    const nobody = await mob("store", "backup", backup, "--mob", "nobody", "--data", dir)
    expect(nobody).toMatchObject({ exit: 2, stderr: expect.stringContaining("[MOB_NOT_STORED]") })
    for (const args of [["verify"], ["repair", join(data.dir, "new")], ["inspect"]]) {
      const held = await mob("store", ...args, "--data", dir)
      expect(held).toMatchObject({ exit: 3, stderr: expect.stringContaining("[STORE_LOCKED]") })
    }

    expect((await mob("store", "restore", backup, "--data", target)).exit).toBe(0)
    expect(JSON.parse((await mob("status", id, "--data", target, "--json")).stdout)).toMatchObject({
      status: "running",
      steps: { first: { status: "completed" }, second: { status: "dispatched" } }
    })
    writeFileSync(gate, "")
    const ran = await mob("run", file, "--flow", "gated", "--param", `gate=${gate}`, "--data", target, "--json")
    expect(JSON.parse(ran.stdout)).toMatchObject({ run_id: id, status: "completed" })
    expect((await host.ended).exit).toBe(0)
    for (const it of [dir, target]) expect((await mob("store", "verify", "--data", it)).exit).toBe(0)
  })
})
