/**
 * The `mob` command with a journal that can end its process. Batches are counted from the one that admits the first run,
 * or that writes to it first. Two variables say more: MOB_TEST_KILL where to kill (`before 3`, `after 3`; `before end`
 * and `after end` mean the batch that ends a run), MOB_TEST_BATCHES a file that gets a line a batch: `end` if it ends a
 * run, else `more`.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Deferred, Effect } from "effect"
import { appendFileSync } from "node:fs"
import { runCommandLine } from "../../../core/cli/commands.ts"
import { endOf } from "../../../core/cli/failure.ts"
import { type Signal, Signals } from "../../../core/cli/signals.ts"
import { type Commit, CommitSeam, type Operation } from "../../../core/journal/index.ts"

const { MOB_TEST_BATCHES: record, MOB_TEST_KILL: spot } = process.env

/** Entries of runs in a batch, a line each. */
const runEntries = (operations: ReadonlyArray<Operation>) =>
  operations.flatMap((it) => it.type === "put" ? it.value.toString().split("\n") : []).filter((line) =>
    line.startsWith("{\"aggregate\":\"run/")
  )

let batches = 0

const killing = (commit: Commit): Commit => (operations, done) => {
  const entries = runEntries(operations)
  if (batches > 0 || entries.length > 0) batches += 1
  const end = entries.some((line) => line.endsWith(",\"terminal\":true}"))
  const arrive = (side: "before" | "after", batch: number) => {
    if (spot === `${side} ${batch}` || (end && spot === `${side} end`)) process.kill(process.pid, "SIGKILL")
  }
  const batch = batches
  if (batch > 0 && record !== undefined) appendFileSync(record, end ? "end\n" : "more\n")
  arrive("before", batch)
  commit(operations, (error) => {
    arrive("after", batch)
    done(error)
  })
}

const args = process.argv.slice(2)

Effect.runFork(
  runCommandLine(args).pipe(
    Effect.provideService(Signals, { first: Deferred.await(Deferred.makeUnsafe<Signal>()) }),
    Effect.provideService(CommitSeam, killing),
    Effect.provide(NodeServices.layer)
  )
).addObserver((exit) => {
  const end = endOf(exit, args.includes("--json"))
  process.stderr.write(end.text)
  process.exit(end.exit)
})
