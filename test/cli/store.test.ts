/** `mob store`: a real mob backed up, restored and continued; a store checked, damaged and repaired. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { writeMark } from "./damage.ts"
import { dataDir, fixture, mob, start } from "./mob.ts"

const file = fixture("mob.toml")
const runIn = (text: string) => /run ([0-9a-f-]{36}) of mob errands/.exec(text)?.[1] ?? ""

/** A mob whose run was interrupted between two steps. */
const interrupted = async (dir: string, gate: string) => {
  using first = start(["run", file, "--flow", "gated", "--param", `gate=${gate}`, "--data", dir])
  const id = runIn(await first.seen("second: sent to r-1"))
  first.child.kill("SIGKILL")
  await first.ended
  return id
}

describe("mob store", () => {
  it("backup, restore elsewhere: mob run continues the run that was interrupted", async () => {
    using data = dataDir()
    const [dir, target, backup, gate] = ["data", "target", "backup", "gate"].map((name) => join(data.dir, name))
    if (dir === undefined || target === undefined || backup === undefined || gate === undefined) return
    const id = await interrupted(dir, gate)
    const made = await mob("store", "backup", backup, "--data", dir, "--json")
    expect(made).toMatchObject({ exit: 0, stderr: "" })
    expect(JSON.parse(made.stdout)).toMatchObject({ file: backup, mobs: [{ mob: "errands" }], definitions: 1 })
    expect(statSync(backup).mode & 0o777).toBe(0o600)

    const restored = await mob("store", "restore", backup, "--data", target, "--json")
    expect(restored).toMatchObject({ exit: 0, stderr: "" })
    expect(JSON.parse(restored.stdout)).toMatchObject({ mobs: ["errands"] })
    expect((await mob("events", "--data", target)).stdout).toBe((await mob("events", "--data", dir)).stdout)
    expect((await mob("store", "verify", "--data", target)).exit).toBe(0)
    const again = await mob("store", "import", backup, "--data", target)
    expect(again.exit).toBe(2)
    expect(again.stderr).toMatch(/holds mob errands already.*\[TARGET_TAKEN\]\n$/)

    writeFileSync(gate, "")
    const ran = await mob("run", file, "--flow", "gated", "--param", `gate=${gate}`, "--data", target, "--json")
    expect(ran.exit).toBe(0)
    expect(JSON.parse(ran.stdout)).toMatchObject({ run_id: id, status: "completed" })
    expect((await mob("store", "verify", "--data", target)).exit).toBe(0)
  })

  it("export asks for nothing but the mob, and refuses one that is not there", async () => {
    using data = dataDir()
    await interrupted(data.dir, join(data.dir, "gate"))
    const out = join(data.dir, "errands.jsonl")
    expect((await mob("store", "export", out, "--data", data.dir)).exit).toBe(0)
    expect(readFileSync(out, "utf8")).toContain("\"mobs\":[\"errands\"]")
    const nobody = await mob("store", "export", out, "--mob", "nobody", "--data", data.dir)
    expect(nobody.exit).toBe(2)
    expect(nobody.stderr).toContain("[MOB_NOT_STORED]")
  })

  it("verify says what is wrong and ends with 1; repair leaves it alone and makes a new one that is sound", async () => {
    using data = dataDir()
    const [dir, to] = [join(data.dir, "data"), join(data.dir, "to")]
    await interrupted(dir, join(data.dir, "gate"))
    const sound = await mob("store", "verify", "--data", dir, "--json")
    expect(sound).toMatchObject({ exit: 0, stderr: "" })
    expect(JSON.parse(sound.stdout)).toMatchObject({ sound: true, mobs: [{ mob: "errands" }], findings: [] })
    // Acknowledged commits that are not there.
    writeMark(dir, 1_000)
    const damaged = await mob("store", "verify", "--data", dir, "--json")
    expect(damaged.exit).toBe(1)
    expect(JSON.parse(damaged.stdout)).toMatchObject({
      sound: false,
      findings: [{ what: expect.stringMatching(/to 1000/) }]
    })
    expect(JSON.parse(damaged.stderr).code).toBe("STORE_UNSOUND")
    const text = await mob("store", "verify", "--data", dir)
    expect(text.stdout).toMatch(/group commits \d+ to 1000 were acknowledged and are missing\n$/)
    expect(text.stderr).toMatch(/has 1 finding; restore a backup, or .*: mob store repair NEW \[STORE_UNSOUND\]\n$/)

    const repaired = await mob("store", "repair", to, "--data", dir)
    expect(repaired.exit).toBe(1)
    expect(repaired.stdout).toMatch(/lost: group commits \d+ to 1000/)
    expect(repaired.stderr).toMatch(/has what is intact of .* 1 loss \[REPAIR_INCOMPLETE\]\n$/)
    expect((await mob("store", "verify", "--data", to)).exit).toBe(0)
    expect((await mob("events", "--data", to)).stdout).toContain("second: sent to r-1")
    const taken = await mob("store", "repair", to, "--data", dir)
    expect(taken).toMatchObject({ exit: 2, stderr: expect.stringContaining("[TARGET_TAKEN]") })
    expect((await mob("store", "repair", join(data.dir, "b"), "--name", "x=1", "--data", dir)).exit).toBe(2)
  })

  it("a backup that is cut, changed or missing is refused with the line, and nothing is restored", async () => {
    using data = dataDir()
    const [dir, backup, target] = [join(data.dir, "data"), join(data.dir, "backup"), join(data.dir, "target")]
    await interrupted(dir, join(data.dir, "gate"))
    expect((await mob("store", "backup", backup, "--data", dir)).exit).toBe(0)
    const lines = readFileSync(backup, "utf8").split("\n")
    const refused = async (text: string, words: RegExp) => {
      writeFileSync(backup, text)
      const { exit, stderr } = await mob("store", "restore", backup, "--data", target)
      expect(exit).toBe(3)
      expect(stderr).toMatch(words)
      expect(stderr).toMatch(/\[STORE_CORRUPTED\]\n$/)
      expect(existsSync(target)).toBe(false)
    }
    await refused(lines.slice(0, -2).join("\n"), new RegExp(`line ${lines.length - 2} .* cut short`))
    await refused(lines.slice(0, -2).concat("").join("\n"), new RegExp(`line ${lines.length - 1} .* cut short`))
    await refused(lines.toSpliced(3, 1).join("\n"), /line 4 .*not what was written/)
    await refused(lines.with(5, lines[5]?.replace("errands", "errandz").replace(/\d/, "7") ?? "").join("\n"), /line 6 /)
    await refused(
      [...lines.slice(0, -1), lines[2], ""].join("\n"),
      new RegExp(`line ${lines.length} .*after the closing`)
    )
    await refused("{}\n", /line 1 .*no backup/)
    rmSync(backup)
    expect(await mob("store", "restore", backup, "--data", target)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("[BACKUP_FILE_UNUSABLE]")
    })
  })

  it("inspect shows what is kept", async () => {
    using data = dataDir()
    await interrupted(data.dir, join(data.dir, "gate"))
    const { exit, stdout } = await mob("store", "inspect", "--data", data.dir, "--json")
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ damage: null, mobs: [{ mob: "errands", epoch: 1, live: 2 }] })
    expect((await mob("store", "inspect", "--data", data.dir)).stdout).toContain("errands")
    expect((await mob("store", "inspect", "--data", join(data.dir, "nowhere"))).exit).toBe(2)
  })
})

describe("mob store secret", () => {
  it("takes the value from stdin, shows names alone, and backs them up only when asked", async () => {
    using data = dataDir()
    await interrupted(data.dir, join(data.dir, "gate"))
    const main = fileURLToPath(new URL("../../core/cli/main.ts", import.meta.url))
    const args = ["--conditions=mobwright-source", "--no-warnings", main, "store", "secret", "set", "API_KEY"]
    expect(execFileSync(process.execPath, [...args, "--data", data.dir], { input: "hunter2\n" }).toString()).toBe("")
    expect(statSync(join(data.dir, "secrets.json")).mode & 0o777).toBe(0o600)
    const list = await mob("store", "secret", "list", "--data", data.dir)
    expect(list.stdout).toBe("API_KEY\n")
    const [plain, secret, target] = ["plain", "secret", "target"].map((name) => join(data.dir, name))
    if (plain === undefined || secret === undefined || target === undefined) return
    expect((await mob("store", "backup", plain, "--data", data.dir)).exit).toBe(0)
    expect(readFileSync(plain, "utf8")).not.toContain("hunter2")
    expect((await mob("store", "backup", secret, "--secrets", "--data", data.dir)).exit).toBe(0)
    expect((await mob("store", "restore", secret, "--data", target)).exit).toBe(0)
    expect(JSON.parse((await mob("store", "secret", "list", "--data", target, "--json")).stdout)).toEqual(["API_KEY"])
    expect((await mob("store", "secret", "remove", "API_KEY", "--data", target)).exit).toBe(0)
    expect((await mob("store", "secret", "list", "--data", target)).stdout).toBe("")
    expect((await mob("store", "secret", "remove", "API_KEY", "--data", target)).exit).toBe(2)
    expect((await mob("store", "secret", "remove", "bad name", "--data", target)).exit).toBe(2)
  })
})
