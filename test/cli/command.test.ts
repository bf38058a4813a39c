import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { CONTROL_PROTOCOL } from "../../core/cli/control/methods.ts"
import { writeMark } from "./damage.ts"
import { dataDir, fixture, mob, start } from "./mob.ts"

const file = fixture("mob.toml")

describe("mob validate", () => {
  it("says that a definition is valid, loads no database and runs nothing that it names", async () => {
    using data = dataDir()
    const marker = join(data.dir, "marker")
    // At its end the process says whether LevelDB's native part was loaded.
    const report =
      "process.on('exit',()=>console.error(process.report.getReport().sharedObjects.some((it)=>it.includes('classic-level'))?'LEVEL':'LEAN'))"
    const env = { MOB_TEST_MARKER: marker, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(report)}` }
    const valid = await start(["validate", fixture("marked.toml")], env).ended
    expect(valid).toMatchObject({ exit: 0, stderr: "LEAN\n" })
    expect(valid.stdout).toContain("marked.toml is valid")
    expect(existsSync(marker)).toBe(false)
    // The same probe sees a command that does load both.
    const ran = await start(["run", fixture("marked.toml"), "--data", data.dir], env).ended
    expect(ran.stderr).toContain("LEVEL")
    expect(existsSync(marker)).toBe(true)
  })

  it("lists findings, as JSON if asked, and ends with 2 if one is an error", async () => {
    using data = dataDir()
    const broken = join(data.dir, "broken.toml")
    writeFileSync(broken, `id = "b"\n[profiles.w]\n[flows.f.steps.a]\nrole = "x"\nmessage = "y"\ntimeout = 1\n`)
    const plain = await mob("validate", broken)
    expect(plain.exit).toBe(2)
    expect(plain.stdout).toContain("error flow_unknown_role at flows.f.steps.a.role: ")
    expect(plain.stderr).toBe(`mob: ${broken} has 1 error; mend it and validate again [DEFINITION_INVALID]\n`)
    const json = await mob("validate", broken, "--json")
    expect(json.exit).toBe(2)
    expect(JSON.parse(json.stdout)).toEqual([
      expect.objectContaining({ code: "unknown_field", location: "flows.f.steps.a.timeout", severity: "warning" }),
      expect.objectContaining({ code: "flow_unknown_role", location: "flows.f.steps.a.role", severity: "error" })
    ])
  })
})

describe("bad usage", () => {
  it("is one line with what to do, and exit code 2", async () => {
    using data = dataDir()
    const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, code: string]> = [
      [["frob"], "USAGE"],
      [["run"], "USAGE"],
      [["run", file, "--frob"], "USAGE"],
      [["run", file, "--param", "novalue"], "USAGE"],
      [["run", join(data.dir, "nowhere.toml")], "DEFINITION_UNREADABLE"],
      [["run", file, "--flow", "nowhere"], "FLOW_NOT_FOUND"],
      [["run", file, "--params", "[1]"], "PARAMS_INVALID"],
      [["ps", "--data", join(data.dir, "nowhere")], "DATA_NOT_FOUND"]
    ]
    for (const [args, code] of cases) {
      const { exit, stderr, stdout } = await mob(...args)
      expect([args, exit, stdout]).toEqual([args, 2, ""])
      expect(stderr).toMatch(new RegExp(`^mob: .* \\[${code}\\]\\n$`))
    }
  })

  it("--help tells a newcomer the commands, and one command its flags", async () => {
    const all = await mob("--help")
    expect(all.exit).toBe(0)
    for (const name of ["validate", "run", "up", "ps", "tree", "runs", "status", "events", "cancel"]) {
      expect(all.stdout).toMatch(new RegExp(`^  ${name} `, "m"))
    }
    const run = await mob("run", "--help")
    for (const flag of ["--flow ID", "--params JSON", "--param k=v", "--key KEY", "--data DIR", "--json"]) {
      expect(run.stdout).toContain(flag)
    }
  })
})

describe("a store that cannot be used", () => {
  const heldBy = (dir: string, socket: string) => {
    const stat = readFileSync("/proc/self/stat", "utf8")
    const start_ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19])
    const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const owner = { pid: process.pid, start_ticks, boot_id, since: new Date(0).toISOString(), socket }
    writeFileSync(join(dir, "owner.json"), JSON.stringify(owner))
  }

  it("held by a process that does not answer, ends the command with 3 and names it", async () => {
    using data = dataDir()
    heldBy(data.dir, join(data.dir, "silent.sock"))
    const { exit, stderr } = await mob("ps", "--data", data.dir)
    expect(exit).toBe(3)
    expect(stderr).toMatch(new RegExp(`^mob: process ${process.pid} holds .* \\[STORE_LOCKED\\]\\n$`))
  })

  it("held by a mob of another protocol, ends the command with 3 and tells both numbers", async () => {
    using data = dataDir()
    const socket = join(data.dir, "other.sock")
    heldBy(data.dir, socket)
    const server = createServer((connection) => {
      connection.on("data", (line) => {
        const { id } = JSON.parse(line.toString())
        connection.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: { protocol: 99, pid: 1, mobs: [] } })}\n`)
      })
      connection.on("error", () => {})
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    const { exit, stderr } = await mob("runs", "--data", data.dir, "--json")
    server.close()
    expect(exit).toBe(3)
    expect(JSON.parse(stderr)).toEqual({
      code: "PROTOCOL_MISMATCH",
      message: `process 1 speaks control protocol 99, this mob speaks ${CONTROL_PROTOCOL}; use the mob of that version`
    })
  })

  it("damaged, ends the command with 3 and shows no stack", async () => {
    using data = dataDir()
    expect((await mob("run", file, "--param", "name=Ann", "--data", data.dir)).exit).toBe(0)
    // A MARK that is ahead of the database: acknowledged commits are missing.
    writeMark(data.dir, 1_000)
    const run = await start(["run", file, "--param", "name=Bob", "--data", data.dir]).ended
    expect(run.exit).toBe(3)
    expect(run.stderr).toContain("[STORE_CORRUPTED]")
    expect(run.stderr).not.toMatch(/^\s+at /m)
    // Looking still works, and says so.
    const runs = await mob("runs", "--data", data.dir, "--json")
    expect(runs.exit).toBe(0)
    expect(runs.stderr).toContain("warning: the store is damaged")
    expect(JSON.parse(runs.stdout)).toHaveLength(1)
  })

  it("a data directory that is a file is bad usage", async () => {
    using data = dataDir()
    const path = join(data.dir, "file")
    writeFileSync(path, "")
    expect((await mob("run", file, "--data", path)).exit).toBe(2)
    mkdirSync(join(data.dir, "empty"))
    const empty = await mob("runs", "--data", join(data.dir, "empty"))
    expect(empty.exit).toBe(2)
  })
})
