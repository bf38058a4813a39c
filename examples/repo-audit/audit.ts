/**
 * One audit: opens the mob, runs its flow to the end, reads the event log, writes the two reports, and gives the lines
 * for the screen. It uses the mob through its handle only, so it does not matter how the runtime is composed.
 */
import { Console, Effect, Schema } from "effect"
import { type MobHandle, Mobs } from "mobwright"
import type { LoadedDefinition, StoredEvent } from "mobwright/sdk"
import { mkdir, writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import type { Request } from "./arguments.ts"
import { escapeBytes } from "./bytes.ts"
import { KILLS } from "./chaos.ts"
import { excerpt } from "./excerpt.ts"
import { Joined } from "./lead.ts"
import { renderHtml } from "./report/html.ts"
import { renderMarkdown } from "./report/markdown.ts"
import { renderScreen } from "./report/screen.ts"
import { timelineOf } from "./report/timeline.ts"
import { Listing } from "./tree.ts"
import { worstOf } from "./worst.ts"

/** The run of the audit did not complete. */
class AuditFailed extends Schema.TaggedError<AuditFailed>()("AuditFailed", {
  status: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "AUDIT_FAILED"
  override get message() {
    return `the audit ${this.status}: ${this.reason}`
  }
}

/** The reports could not be written. */
class ReportsNotWritten extends Schema.TaggedError<ReportsNotWritten>()("ReportsNotWritten", {
  folder: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "REPORTS_NOT_WRITTEN"
  override get message() {
    return `the reports cannot be written to ${this.folder}: ${this.reason}; give another --out`
  }
}

const PAGE = 1000

/** All events after a cursor, to the newest. */
const eventsAfter = Effect.fnUntraced(function*(mob: MobHandle, after: number) {
  const events: Array<StoredEvent> = []
  for (;;) {
    const page = yield* mob.pollEvents(events.at(-1)?.cursor ?? after, PAGE)
    events.push(...page)
    if (page.length < PAGE) return events
  }
})

const write = (folder: string, files: { readonly [name: string]: string }) =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(folder, { recursive: true })
      for (const [name, text] of Object.entries(files)) await writeFile(resolve(folder, name), text)
    },
    catch: (cause) => new ReportsNotWritten({ folder, reason: cause instanceof Error ? cause.message : String(cause) })
  })

/** Runs the audit that was asked for; the result are the lines for the screen. Interruption suspends the run: the next audit of the same folder goes on with it. */
export const audit = Effect.fn("RepoAudit.audit")(function*(request: Request, loaded: LoadedDefinition) {
  const mobs = yield* Mobs
  const mob = yield* mobs.openOrCreate(loaded)
  const before = (yield* mob.status).latest_cursor
  const root = escapeBytes(Buffer.from(request.folder))
  const started = yield* mob.runFlow("audit", { root })
  if (started.existing) yield* Console.log("going on with the audit that was interrupted")
  const run = yield* mob.awaitRun(started.run_id)
  if (run.status !== "completed") {
    const failed = Object.values(run.steps).find((step) => step.status === "failed")
    const broken = (yield* mob.members).flatMap(({ cause, identity }) =>
      cause === undefined ? [] : [`${identity}: ${cause}`]
    )
    const reason = [failed?.reason ?? run.reason ?? "no reason was given", ...broken].join("; ")
    return yield* new AuditFailed({ status: run.status, reason })
  }
  const { disagreements, findings } = yield* Schema.decodeUnknownEffect(Joined)(run.steps["join"]?.output)
  const listing = yield* Schema.decodeUnknownEffect(Listing)(run.steps["list"]?.output)
  // A run that was found, not started, has its first events further back.
  const timeline = timelineOf(yield* eventsAfter(mob, started.existing ? 0 : before), started.run_id)
  const html = renderHtml({
    mob: mob.id,
    findings,
    worst: worstOf(findings).map((place) => ({ ...place, code: excerpt(root, place.path, place.line, place.last) })),
    members: yield* mob.members,
    timeline
  })
  yield* write(request.out, { "report.md": renderMarkdown(findings), "report.html": html })
  return [
    ...listing.note === "" ? [] : [listing.note],
    ...renderScreen({
      findings,
      disagreements,
      makes: loaded.definition.profiles.some(([role]) => role === "auditor_python") ? 2 : 1,
      timeline,
      markdown: resolve(request.out, "report.md"),
      html: resolve(request.out, "report.html"),
      next: [
        ["npm start -- --chaos", "the same report, while members are being killed"],
        ["npm start -- FOLDER", "audit another folder"],
        [`npm run mob -- events --data ${request.data} --mob ${mob.id}`, "what happened, event by event"]
      ],
      chaos: request.chaos ? { wanted: KILLS } : undefined
    })
  ]
})
