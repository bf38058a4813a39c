/**
 * Checking and repairing in a process of their own: on some damage LevelDB ends the process that reads it. Then others
 * try with what LevelDB itself can save, and without one table after the other; that they had to is a finding. What they
 * read is made, kept and removed here, and so is what they write.
 */
import { Effect, Schema } from "effect"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { StoreCorrupted } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { CheckFailed, Failed, type Question } from "./answer.ts"
import { type ReaderEnded, TargetUnusable } from "./errors.ts"
import { findings } from "./finding.ts"
import { intoNew, type IntoNewError, isWithin } from "./into-new.ts"
import { ask } from "./reader.ts"
import type { Repaired, RepairOptions, SalvageError } from "./repair.ts"
import { type ShadowError, shadowOf } from "./shadow.ts"
import type { Verified } from "./verify.ts"

/** What a check can fail with; that a store is damaged is no failure. */
export type VerifyError = ShadowError | ReaderEnded

/** What a repair can fail with. */
export type RepairError = VerifyError | SalvageError | IntoNewError

/** Checks a data directory that nobody holds: reads all of it and tells everything that is wrong. Changes nothing. */
export const verify = Effect.fn("Journal.verify")(
  function*(dir: string): Effect.fn.Return<Verified, VerifyError> {
    const { ended, result } = yield* askAgain<Verified, typeof CheckFailed.Type>(dir, null, readCheckFailed)
    return told(ended, result ?? { dir, mobs: [], unfinished: [], findings: [] })
  }
)

/**
 * Writes what is intact of `from`, which nobody holds, to `to`, which must not be there or be an empty folder. Fails with
 * `StoreCorrupted` if LevelDB ends every process that tries.
 */
export const repair = Effect.fn("Journal.repair")(
  function*(from: string, to: string, options: RepairOptions = {}): Effect.fn.Return<Repaired, RepairError> {
    const within = yield* Effect.try({
      try: () => isWithin(from, to),
      catch: (error) => new TargetUnusable({ target: to, reason: reasonOf(error) })
    })
    if (within) return yield* new TargetUnusable({ target: to, reason: `it is in ${from}, which is left as it is` })
    return yield* intoNew(to, (draft) =>
      Effect.gen(function*() {
        const names = [...options.names ?? []]
        const { ended, result } = yield* askAgain<Repaired, Failed>(
          from,
          { draft, to: resolve(to), names },
          readFailed
        )
        if (result === undefined) {
          return yield* new StoreCorrupted({
            where: from,
            what: `LevelDB ended the process that read it (${ended.join(", ")})`,
            remedy: "restore a backup"
          })
        }
        if (ended.length === 0) return result
        const lost = { type: "records", of: "everything", after: undefined, before: undefined } as const
        return { ...told(ended, result), lost: [...result.lost, lost] }
      }))
  }
)

/** What was found, and that LevelDB could not read it by itself. */
const told = <A extends Pick<Verified, "findings">>(ended: ReadonlyArray<string>, result: A): A => {
  const { find, list } = findings()
  if (ended.length > 0) {
    find("the database", `LevelDB ended the process that read it (${ended.join(", ")})`, {
      unread: { of: "everything", after: undefined, before: undefined }
    })
  }
  return { ...result, findings: [...list, ...result.findings] }
}

const readCheckFailed = Schema.decodeUnknownSync(CheckFailed)
const readFailed = Schema.decodeUnknownSync(Failed)

/** Tables that are left out one at a time before giving up. */
const mostTables = 64

/** Asks until a process lives to answer: with all files, with what LevelDB can save of them, and without each table. */
const askAgain = Effect.fnUntraced(
  function*<A, E>(
    dir: string,
    salvage: Question["salvage"],
    readFailed: (failed: unknown) => E
  ): Effect.fn.Return<
    { readonly result: A | undefined; readonly ended: ReadonlyArray<string> },
    ShadowError | ReaderEnded | E
  > {
    const ended: Array<string> = []
    let tables: ReadonlyArray<string> = []
    for (let attempt = 0; attempt < 2 + tables.length; attempt++) {
      const without = tables[attempt - 2]
      const answer = yield* Effect.scoped(Effect.gen(function*() {
        const shadow = yield* shadowOf(dir)
        const files = readdirSync(join(shadow, "db")).filter((name) => name.endsWith(".ldb"))
        if (files.length <= mostTables) tables = files
        if (without !== undefined) rmSync(join(shadow, "db", without))
        // One that was ended may have written some of it.
        if (salvage !== null) empty(salvage.draft)
        return yield* ask({ dir, shadow, rescueFirst: attempt > 0, salvage })
      }))
      if (answer.type === "failed") return yield* Effect.fail(readFailed(answer.failed))
      if (answer.type === "result") {
        // Our own program wrote it, for this question.
        const result = answer.result as A
        return { result, ended: without === undefined ? ended : [...ended, `it goes without ${without}`] }
      }
      ended.push(answer.signal)
    }
    return { result: undefined, ended }
  }
)

const empty = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
}
