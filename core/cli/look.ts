/** The commands that look: `ps`, `tree`, `runs`, `status`, `events`; and `cancel`, which does little more. */
import { Effect, Stream } from "effect"
import type { StoredEvent } from "../../sdk/store.ts"
import { eventLine, progress, result, resultJson, runText, table, time, treeText } from "./print.ts"
import type { View } from "./questions.ts"
import { mobOf, openView, type ViewOptions } from "./view.ts"

/** What every looking command takes. */
interface LookOptions extends ViewOptions {
  readonly json: boolean
}

/** Events asked for at once. */
const PAGE = 1_000

const idle = "no process runs this mob now; the next mob run or mob up continues it"

/** Says that nothing is going on, where the records alone would look as if. */
const tellIdle = (view: View) => view.pid === undefined ? progress(idle) : Effect.void

/** `mob ps`: mobs and their members. */
export const ps = Effect.fnUntraced(function*(options: LookOptions) {
  const view = yield* openView(options)
  const mobs = options.mob === undefined ? view.mobs : [yield* mobOf(view, options.mob)]
  const found = yield* Effect.forEach(mobs, (mob) => view.ps(mob))
  if (options.json) {
    const host = view.pid === undefined ? {} : { pid: view.pid }
    return yield* resultJson(found.map(({ members, status }) => ({ ...status, ...host, members })))
  }
  yield* tellIdle(view)
  for (const { members, status } of found) {
    const runs = status.active_runs.length === 0 ? "no active runs" : `active runs: ${status.active_runs.join(", ")}`
    yield* result(`mob ${status.mob_id}: ${status.phase}, ${runs}`)
    const rows = members.map((it) => [
      `  ${it.identity}`,
      it.role,
      it.phase,
      String(it.generation),
      String(it.restarts),
      view.pid === undefined || it.pid === undefined ? "" : String(it.pid),
      it.cause ?? ""
    ])
    yield* result(table(["  MEMBER", "ROLE", "PHASE", "GENERATION", "RESTARTS", "PID", "CAUSE"], rows))
  }
})

/** `mob tree`: the cells of the process that holds the data directory, as they hang on each other. */
export const tree = Effect.fnUntraced(function*(options: LookOptions) {
  const view = yield* openView(options)
  const root = yield* view.tree
  if (options.json) return yield* resultJson(root ?? null)
  yield* root === undefined ? progress(idle) : result(treeText(root))
})

/** `mob runs`: runs of a mob, newest first. */
export const runs = Effect.fnUntraced(function*(options: LookOptions) {
  const view = yield* openView(options)
  const found = yield* view.runs(yield* mobOf(view, options.mob))
  if (options.json) return yield* resultJson(found)
  yield* tellIdle(view)
  const rows = found.map((it) => [
    it.run_id,
    it.flow_id,
    view.pid === undefined && it.status === "running" ? "suspended" : it.status,
    time(it.started_at),
    it.completed_at === null ? "" : time(it.completed_at)
  ])
  yield* rows.length === 0
    ? progress("no runs yet")
    : result(table(["RUN", "FLOW", "STATUS", "STARTED", "ENDED"], rows))
})

/** `mob status RUN`: one run with its steps. */
export const status = Effect.fnUntraced(function*(options: LookOptions & { readonly run: string }) {
  const view = yield* openView(options)
  const record = yield* view.run(yield* mobOf(view, options.mob), options.run)
  if (options.json) return yield* resultJson(record)
  if (record.status === "running") yield* tellIdle(view)
  yield* result(runText(record))
})

/** `mob cancel RUN`: ends a run as canceled; one that has ended is left as it is. */
export const cancel = Effect.fnUntraced(function*(options: LookOptions & { readonly run: string }) {
  const view = yield* openView(options)
  const record = yield* view.cancel(yield* mobOf(view, options.mob), options.run)
  if (options.json) return yield* resultJson(record)
  yield* result(runText(record))
})

/** `mob events`: the public events of a mob, one a line; with `follow` also new ones, until a signal. */
export const events = Effect.fnUntraced(function*(
  options: LookOptions & { readonly after: number; readonly follow: boolean }
) {
  const view = yield* openView(options)
  const mob = yield* mobOf(view, options.mob)
  const show = (it: StoredEvent) =>
    // One document a line, so that a reader of a pipe need not wait for the end.
    result(
      options.json ? JSON.stringify(it) : `${String(it.cursor).padStart(6)}  ${time(it.at)}  ${eventLine(it.event)}`
    )
  // From the start means from what is left.
  const from = options.after > 0 ? options.after : (yield* view.ps(mob)).status.first_cursor - 1
  if (options.follow && view.follow !== undefined) {
    yield* Stream.runForEach(view.follow(mob, from), show)
    return yield* progress(`mob ${mob} closed; there will be no more events until it is opened again`)
  }
  let after = from
  for (;;) {
    const page = yield* view.events(mob, after, PAGE)
    yield* Effect.forEach(page, show, { discard: true })
    after = page.at(-1)?.cursor ?? after
    if (page.length < PAGE) break
  }
  if (options.follow) yield* progress(idle)
})
