/**
 * Writes a golden data directory: `v<format>/`, as a `kill -9` left it, and `v<format>.json`, what the program that wrote
 * it says is in it. Neither is ever written again; a later format gets a directory of its own beside them, and the old
 * ones stay under test.
 *
 *     node --conditions=mobwright-source test/golden/data/write.ts
 *
 * Version 1 is by the first program that was given away, 7da9c58, in whose tree this was run. There `loadAggregate` stood
 * in `core/journal/durable.ts`, and an inbox decoded its facts in its cell.
 */
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { format } from "../../../core/journal/registry.ts"
import { writeJson } from "../files.ts"
import { readStore } from "./reading.ts"
import { tell } from "./story.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const [task, dir = ""] = process.argv.slice(2)

/** What LevelDB, and an owner, leave that says nothing of what was stored. */
const isIncidental = (name: string) => /^(LOCK|LOG|LOG\.old|owner\.json)$/.test(name)

/** Keeps what is beneath `from`. */
const keep = (from: string, to: string) =>
  fs.cpSync(from, to, { recursive: true, filter: (path) => !isIncidental(path.slice(path.lastIndexOf("/") + 1)) })

const write = async () => {
  const golden = join(here, `v${format}`)
  if (fs.existsSync(golden)) throw new Error(`${golden} is there, and stays as it is`)
  const work = fs.mkdtempSync(join(tmpdir(), "mobwright-golden-"))
  try {
    const told = join(work, "data")
    const { signal, stderr, stdout } = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), "tell", told],
      { encoding: "utf8" }
    )
    if (signal !== "SIGKILL") throw new Error(`the story ended before its end: ${stderr}`)
    keep(told, golden)
    const store = await Effect.runPromise(readStore(told))
    writeJson(`${golden}.json`, { now: Number(stdout), ...store })
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

if (task === "tell") {
  await Effect.runPromise(tell(dir, (now) => {
    // Written at once: nothing that is buffered survives.
    fs.writeSync(1, String(now))
    process.kill(process.pid, "SIGKILL")
  }))
} else await write()
