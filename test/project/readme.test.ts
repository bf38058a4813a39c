/** What the README shows is run as it stands. */
import { execFile } from "node:child_process"
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "./imports.ts"

const run = promisify(execFile)
// Inside the repository, so that `mobwright` means this package.
const work = join(root, ".readme-test")

let readme = ""
beforeAll(async () => {
  readme = await readFile(join(root, "README.md"), "utf8")
  await mkdir(work, { recursive: true })
})
afterAll(() => rm(work, { recursive: true, force: true }))

/** A block of a language; the first is 0. */
const block = (language: string, index = 0): string => {
  const found = [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))][index]?.[1]
  if (found === undefined) throw new Error(`the README has no ${language} block ${index}`)
  return found
}

const node = (...args: ReadonlyArray<string>) =>
  run(process.execPath, ["--conditions=mobwright-source", "--no-warnings", ...args], { cwd: work })

const python = await run("python3", ["--version"]).then(() => true, () => false)

describe("the README", () => {
  it.skipIf(!python)("shows a mob and a member in Python that work together (needs python3)", async () => {
    await writeFile(join(work, "mob.toml"), block("toml"))
    await writeFile(join(work, "shout.py"), block("python"))
    const mob = join(root, "core/cli/main.ts")
    const valid = await node(mob, "validate", "mob.toml")
    expect(valid.stdout).toBe("mob.toml is valid\n")
    const { stdout } = await node(mob, "run", "mob.toml", "--param", "names=[\"ada\",\"grace\"]")
    expect(JSON.parse(stdout)).toEqual({ steps: { shout: ["HELLO ADA", "HELLO GRACE"] } })
  })

  it("shows a program that runs", async () => {
    const home = join(work, "program")
    await mkdir(home, { recursive: true })
    await cp(join(root, "examples/effect-program/mob.toml"), join(home, "mob.toml"))
    const text = (await readFile(join(home, "mob.toml"), "utf8")).replace(/behavior = "edit"/, "behavior = \"write\"")
    await writeFile(join(home, "mob.toml"), text)
    const program = block("ts").replace(
      /^Effect\.runPromise\((.*)\)$/m,
      "console.log((await Effect.runPromise($1)).status)"
    )
    await writeFile(join(home, "main.ts"), program.replaceAll("\"mob.toml\"", JSON.stringify(join(home, "mob.toml"))))
    const { stdout } = await node(join(home, "main.ts"))
    expect(stdout).toBe("completed\n")
  })

  it("shows a supervision tree that restarts what crashes", async () => {
    await writeFile(join(work, "tree.ts"), block("ts", 1))
    const { stdout } = await node(join(work, "tree.ts"))
    expect(stdout.split("\n")).toEqual([
      "Success",
      "Started counter",
      "Started front",
      "DeadLetter counter",
      "Crashed counter",
      "Restarting counter",
      "Started counter",
      "Stopped counter",
      "Stopped front",
      "5",
      ""
    ])
  })

  it("shows how a store is held against its contract", async () => {
    await writeFile(join(work, "store.test.ts"), block("ts", 2))
    const { stdout } = await node("--test", "--test-reporter=tap", join(work, "store.test.ts"))
    expect(stdout).toMatch(/^# fail 0$/m)
    expect(stdout).toMatch(/STORE-001 required: /)
    expect(stdout).not.toMatch(/STORE-\d+ failed/)
  })
})
