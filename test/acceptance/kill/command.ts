/** `mob run` of the mob to kill, as a process of its own, and what it puts on record. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { RunRecord } from "../../../core/mob/index.ts"
import { readRecord, survivors } from "./evidence.ts"

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** Number of items of the flow's `each` step. */
const COUNT = 6
/** Milliseconds after which a command that does not end is ended. */
const PATIENCE = 60_000

/** A folder that goes when its block is left. */
export const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "mob-kill-"))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }) }
}

/** Where a mob runs and is killed. When its block is left, members that live on are ended, and it goes. */
export interface Place extends Disposable {
  readonly data: string
  /** File in which members record what they do. */
  readonly record: string
  /** File in which a counting host writes a line a batch. */
  readonly batches: string
}

/** Makes a place in a folder of its own. */
export const place = (): Place => {
  const home = folder()
  const record = join(home.dir, "record")
  return {
    data: join(home.dir, "data"),
    record,
    batches: join(home.dir, "batches"),
    [Symbol.dispose]: () => {
      for (const pid of survivors(readRecord(record))) process.kill(pid, "SIGKILL")
      home[Symbol.dispose]()
    }
  }
}

/** When a process is killed: at a batch, by itself; or from outside, milliseconds after it said that it started a run. */
export type Kill =
  | { readonly side: "before" | "after"; readonly batch: number | "end" }
  | { readonly millis: number }

/** How a command ended. */
export interface Ended {
  /** Exit code, or name of the signal that ended it. */
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

/** The commands of a test. Their processes share a folder in which Node keeps compiled code, which halves their cost. */
export const commands = (cache: string) => {
  const start = (program: string, { data, record }: Place, env: NodeJS.ProcessEnv, millis?: number): Promise<Ended> => {
    const args = ["run", path("mob.toml"), "--param", `count=${COUNT}`, "--data", data, "--json"]
    const child = spawn(process.execPath, ["--conditions=mobwright-source", "--no-warnings", path(program), ...args], {
      env: { ...process.env, ...env, MOB_TEST_RECORD: record, NODE_COMPILE_CACHE: cache },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const kill = () => child.kill("SIGKILL")
    const limit = setTimeout(kill, PATIENCE)
    let timer: NodeJS.Timeout | undefined
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      if (millis !== undefined && stderr.includes("started run")) timer ??= setTimeout(kill, millis)
    })
    return new Promise((resolve) => {
      child.once("close", (code, signal) => {
        clearTimeout(limit)
        clearTimeout(timer)
        resolve({ exit: signal ?? code ?? -1, stdout, stderr })
      })
    })
  }
  return {
    /** Runs the mob, or continues its run, with the product's own command. */
    run: (at: Place) => start("../../../core/cli/main.ts", at, {}),
    /** The same, and puts its batches on record. */
    counted: (at: Place) => start("host.ts", at, { MOB_TEST_BATCHES: at.batches }),
    /** The same, killed. */
    killed: (at: Place, kill: Kill) =>
      "side" in kill
        ? start("host.ts", at, { MOB_TEST_KILL: `${kill.side} ${kill.batch}` })
        : start("../../../core/cli/main.ts", at, {}, kill.millis)
  }
}

/** The run that a command printed; fails with what it said if it did not end well. */
export const printedRun = ({ exit, stderr, stdout }: Ended): RunRecord => {
  if (exit !== 0) throw new Error(`mob run ended with ${exit}: ${stderr}`)
  // `--json` prints a run's record; the tests look at what is in it.
  return JSON.parse(stdout) as RunRecord
}

/** Number of batches from the one that admitted the run to the one that ended it. */
export const countedBatches = ({ batches }: Place): number =>
  readFileSync(batches, "utf8").split("\n").indexOf("end") + 1
