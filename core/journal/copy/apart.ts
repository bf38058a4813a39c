/**
 * Checking and repairing in a process of their own: on some damage LevelDB ends the process that reads it. Then others
 * try with what LevelDB itself can save, and without one table after the other; that they had to is a finding.
 */
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { readdirSync, rmSync } from "node:fs"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { StoreCorrupted, type StoreLocked, StoreUnavailable } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { findings } from "./finding.ts"
import type { Repaired, RepairError, RepairOptions } from "./repair.ts"
import { shadowOf } from "./shadow.ts"
import type { Verified } from "./verify.ts"

/** What the other process is asked. */
export const Question = Schema.fromJsonString(Schema.Struct({
  dir: Schema.String,
  shadow: Schema.String,
  rescueFirst: Schema.Boolean,
  /** Where to write what is intact; checks only if it is not said. */
  to: Schema.optionalKey(Schema.String),
  names: Schema.Array(Schema.Tuple([Schema.Int, Schema.String]))
}))

/** What it answers: a result, or a failure with its code. */
export interface Answer {
  readonly result?: unknown
  readonly failed?: { readonly code: string; readonly message: string }
}

/** A failure of the other process, as it said it. */
export interface FailedApart {
  readonly code: string
  readonly message: string
}

/** As `verify`; a LevelDB that ends its process is a finding. */
export const verifyApart = Effect.fn("Journal.verifyApart")(
  function*(dir: string): Effect.fn.Return<Verified, StoreLocked | DataFolderUnusable | StoreUnavailable> {
    const asked = yield* askAgain(dir, undefined, {})
    // Our own program wrote it.
    if (asked.answer?.result !== undefined) return aborted(asked.ended, asked.answer.result as Verified)
    return aborted(asked.ended, { dir, mobs: [], findings: [] })
  }
)

/** As `repair`; fails with `StoreCorrupted` if LevelDB ends every process that tries. */
export const repairApart = Effect.fn("Journal.repairApart")(
  function*(
    from: string,
    to: string,
    options: RepairOptions = {}
  ): Effect.fn.Return<Repaired, RepairError | StoreUnavailable | FailedApart> {
    const { answer, ended } = yield* askAgain(from, to, options)
    if (answer?.failed !== undefined) return yield* Effect.fail(answer.failed)
    if (answer?.result !== undefined) {
      const repaired = aborted(ended, answer.result as Repaired) // Our own program wrote it.
      const told = ended.length === 0 || repaired.lost.some(({ type }) => type === "records")
      return told ? repaired : { ...repaired, lost: [...repaired.lost, { type: "records" }] }
    }
    // The last of those that ended left what it had begun.
    yield* Effect.sync(() => rmSync(`${to}.part`, { recursive: true, force: true }))
    return yield* new StoreCorrupted({
      where: from,
      what: `LevelDB ended the process that read it (${ended.join(", ")})`,
      remedy: "restore a backup"
    })
  }
)

/** What was found, and that LevelDB could not read it by itself. */
const aborted = <A extends Pick<Verified, "findings">>(ended: ReadonlyArray<string>, result: A): A => {
  const { find, list } = findings()
  if (ended.length > 0) find("the database", `LevelDB ended the process that read it (${ended.join(", ")})`)
  return { ...result, findings: [...list, ...result.findings] }
}

/** Tables that are left out one at a time before giving up. */
const mostTables = 64

/** Asks until a process lives to answer: with all files, with what LevelDB can save of them, and without each table. */
const askAgain = Effect.fnUntraced(
  function*(dir: string, to: string | undefined, { names }: RepairOptions) {
    const ended: Array<string> = []
    let tables: ReadonlyArray<string> = []
    for (let attempt = 0; attempt < 2 + tables.length; attempt++) {
      const without = tables[attempt - 2]
      const answer = yield* Effect.scoped(Effect.gen(function*() {
        const shadow = yield* shadowOf(dir)
        const files = readdirSync(join(shadow, "db")).filter((name) => name.endsWith(".ldb"))
        if (files.length <= mostTables) tables = files
        if (without !== undefined) rmSync(join(shadow, "db", without))
        return yield* ask({
          dir,
          shadow,
          rescueFirst: attempt > 0,
          names: [...names ?? []],
          ...(to === undefined ? {} : { to })
        })
      }))
      if (typeof answer !== "string") {
        return { answer, ended: without === undefined ? ended : [...ended, `it goes without ${without}`] }
      }
      ended.push(answer)
    }
    return { answer: undefined, ended }
  }
)

/** The answer, or the signal that ended the process. */
const ask = (question: typeof Question.Type): Effect.Effect<Answer | string, StoreUnavailable> =>
  Effect.callback((resume) => {
    const script = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url))
    const child = spawn(process.execPath, ["--no-warnings", script, Schema.encodeSync(Question)(question)], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    const out: Array<Buffer> = []
    const errors: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk))
    const failed = (reason: string) => resume(Effect.fail(new StoreUnavailable({ reason })))
    child.once("error", (error) => failed(reasonOf(error)))
    child.once("close", (code, signal) => {
      if (signal !== null) return resume(Effect.succeed(signal))
      if (code !== 0) return failed(`the process that read it failed: ${Buffer.concat(errors).toString().trim()}`)
      resume(Effect.succeed(JSON.parse(Buffer.concat(out).toString()) as Answer)) // Our own program wrote it.
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
