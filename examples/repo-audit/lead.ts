/**
 * The lead: lists a tree, and joins what the auditors measured. It runs in this process, as a behaviour that the
 * definition names by its file.
 */
import { Effect, Schema } from "effect"
import { Behavior } from "mobwright/sdk"
import { unescapeBytes } from "./bytes.ts"
import { Disagreement, disagreementsOf, Findings, findingsOf } from "./findings.ts"
import { Measure } from "./measure.ts"
import { Listing, listTree } from "./tree.ts"

/** What the lead is asked: one of its two tasks. `root` is escaped bytes. */
const Task = Schema.Union([
  Schema.Struct({ task: Schema.Literal("list"), root: Schema.String }),
  Schema.Struct({
    task: Schema.Literal("join"),
    listing: Listing,
    node: Schema.Array(Measure),
    /** Empty where there was no Python. */
    python: Schema.Array(Measure)
  })
])

/** What the audit comes to. */
export const Joined = Schema.Struct({ findings: Findings, disagreements: Schema.Array(Disagreement) })
export type Joined = typeof Joined.Type

/** The lead's behaviour. A folder that cannot be audited fails its turn with `FOLDER_REFUSED`. */
export const lead = Behavior.make("repo-audit lead", {
  input: Task,
  output: Schema.Union([Listing, Joined]),
  run: (task): Effect.Effect<Listing | Joined, Effect.Error<ReturnType<typeof listTree>>> =>
    task.task === "list"
      ? listTree(unescapeBytes(task.root).toString())
      : Effect.sync(() => ({
        findings: findingsOf(task.node, task.listing.skipped),
        disagreements: disagreementsOf(task.node, task.python)
      }))
})

export default lead
