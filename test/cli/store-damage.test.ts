/** `mob store` over stores with damage, and what it answers scripts. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { headKey, mobKey } from "../../core/journal/keys.ts"
import { holdLevel } from "../../core/journal/level.ts"
import { sealMob } from "../../core/journal/registry.ts"
import type { Operation } from "../../core/journal/seams.ts"
import { forge, linesOf } from "../journal/copy/forge.ts"
import { fill, using } from "../journal/copy/stores.ts"
import { dataDir, mob } from "./mob.ts"

const main = fileURLToPath(new URL("../../core/cli/main.ts", import.meta.url))

/** A store of two mobs, with records replaced from outside. */
const damaged = (dir: string, operations: ReadonlyArray<Operation>) =>
  Effect.runPromise(Effect.gen(function*() {
    yield* using(holdLevel(dir, undefined), fill)
    const medium = holdLevel(dir, undefined)
    const database = yield* medium.open
    yield* Effect.callback<void>((resume) => database.commit(operations, () => resume(Effect.void)))
    yield* medium.leave
    yield* database.close
  }))

/** Sets a secret in a process of its own. */
const setSecret = (dir: string, name: string, value: string | Buffer) =>
  new Promise<{ readonly exit: number | null; readonly stderr: string }>((resolve) => {
    const args = ["--conditions=mobwright-source", "--no-warnings", main, "store", "secret", "set", name, "--data", dir]
    const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "pipe"] })
    let stderr = ""
    child.stderr.on("data", (chunk: Buffer) => stderr += chunk.toString())
    child.once("close", (exit) => resolve({ exit, stderr }))
    child.stdin.end(value)
  })

describe("mob store, of a store with damage", () => {
  it("inspect shows the mobs that can be read, says which cannot, and ends with 3", async () => {
    using data = dataDir()
    const dir = join(data.dir, "data")
    await damaged(dir, [{ type: "put", key: headKey(1, "mob"), value: "{}" }])
    const { exit, stderr, stdout } = await mob("store", "inspect", "--data", dir)
    expect(exit).toBe(3)
    expect(stdout).toMatch(/^other +1 +20 +20/m)
    expect(stderr).toMatch(/mob team cannot be read: .*head of mob/)
    expect(stderr).toMatch(/1 mob of .* mob store verify .*\[STORE_CORRUPTED\]\n$/)
    const json = await mob("store", "inspect", "--data", dir, "--json")
    expect(JSON.parse(json.stdout).mobs).toMatchObject([{ mob: "other" }, { mob: "team", damage: expect.any(String) }])
  })

  it("repair says what losing the roster of a mob means, and names a mob with number and name at once", async () => {
    using data = dataDir()
    const [dir, to] = [join(data.dir, "data"), join(data.dir, "to")]
    await damaged(dir, [
      { type: "put", key: headKey(1, "mob"), value: "{}" },
      { type: "put", key: mobKey("other"), value: "{}" }
    ])
    const { exit, stderr, stdout } = await mob("store", "repair", to, "--data", dir)
    expect(exit).toBe(1)
    expect(stdout).toMatch(/^lost: the roster and the list of runs of mob team: opened, it begins anew/m)
    expect(stdout).toMatch(/^lost: mob other, .* repair again with --name 2=other$/m)
    expect(stderr).toMatch(/2 losses \[REPAIR_INCOMPLETE\]\n$/)
    const again = await mob("store", "repair", join(data.dir, "again"), "--name", "2=team", "--data", dir)
    expect(again).toMatchObject({ exit: 2, stderr: expect.stringContaining("[NAME_UNUSABLE]") })
    const inside = await mob("store", "repair", join(dir, "new"), "--data", dir)
    expect(inside).toMatchObject({ exit: 2, stderr: expect.stringContaining("[TARGET_UNUSABLE]") })
    expect(fs.readdirSync(data.dir).sort()).toEqual(["data", "to"])
  })

  it("verify tells of what is half there, which is no damage", async () => {
    using data = dataDir()
    await damaged(data.dir, [{
      type: "put",
      key: mobKey("other"),
      value: sealMob("other", { mobNo: 2, epoch: 1, destroyed: "begun" })
    }])
    const { exit, stderr, stdout } = await mob("store", "verify", "--data", data.dir)
    expect(exit).toBe(0)
    expect(stdout).toMatch(/is sound: 1 mob\n$/)
    expect(stderr).toMatch(/mob other is half restored or half destroyed/)
  })

  it("backup refuses it, and takes no file that is something else", async () => {
    using data = dataDir()
    const [dir, file, toml] = ["data", "file", "mob.toml"].map((name) => join(data.dir, name))
    if (dir === undefined || file === undefined || toml === undefined) return
    await damaged(dir, [])
    fs.writeFileSync(toml, "[mob]\n")
    const taken = await mob("store", "export", toml, "--mob", "team", "--data", dir)
    expect(taken).toMatchObject({ exit: 2, stderr: expect.stringMatching(/is no backup.*\[BACKUP_FILE_UNUSABLE\]/) })
    expect(fs.readFileSync(toml, "utf8")).toBe("[mob]\n")
    expect((await mob("store", "backup", file, "--data", dir)).exit).toBe(0)
    forge(file, linesOf(file).slice(0, 1))
    const empty = await mob("store", "restore", file, "--data", join(data.dir, "target"))
    expect(empty).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^there is no mob in /) })
    await damaged(join(data.dir, "more"), [{ type: "put", key: headKey(1, "mob"), value: "{}" }])
    const refused = await mob("store", "backup", `${file}-2`, "--data", join(data.dir, "more"))
    expect(refused).toMatchObject({ exit: 3, stderr: expect.stringContaining("[STORE_CORRUPTED]") })
    expect(fs.existsSync(`${file}-2`)).toBe(false)
  })
})

describe("mob store secret set", () => {
  it("by several processes at once loses none", async () => {
    using data = dataDir()
    const names = ["K1", "K2", "K3", "K4"]
    const set = await Promise.all(names.map((name) => setSecret(data.dir, name, name)))
    expect(set.map(({ exit, stderr }) => [exit, stderr])).toEqual(
      names.map((name) => [0, `secret ${name} set in ${data.dir}\n`])
    )
    expect((await mob("store", "secret", "list", "--data", data.dir)).stdout).toBe("K1\nK2\nK3\nK4\n")
    expect(fs.readdirSync(data.dir)).toEqual(["secrets.json"])
    const bytes = await setSecret(data.dir, "K5", Buffer.of(0xff, 0xfe, 0x41))
    expect(bytes).toMatchObject({ exit: 2, stderr: expect.stringContaining("[SECRET_NOT_TEXT]") })
  })
})
