/**
 * A process that writes to a data directory until it is killed. Arguments: directory; number of aggregates; `all` if
 * other mobs are to be pruned and destroyed meanwhile, and blobs to be kept; a file to wait for before it begins. Prints
 * `ready <epoch>`; a line for each acknowledgement, `ack <mob> <aggregate> <revision> <position> <cursor>`, from within
 * the call that brings it; `pruned <cursor>` and `destroyed`; and one for each failure, `fail <tag> <outcome>`, after
 * which that writer waits for the barrier, loads, and goes on.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { type HeadOnly, Journal, type MobLog, type StoreError, type StoreShape } from "../../sdk/store.ts"
import { count, entry, submit, team } from "./logs.ts"

const [dir = "", writers = "4", also = "nothing", go = ""] = process.argv.slice(2)
const say = (line: string) => fs.writeSync(1, `${line}\n`)

const load = (log: MobLog, aggregate: string) =>
  Effect.map(
    Effect.retry(Effect.andThen(log.barrier(aggregate), log.load(aggregate)), {
      while: (error) => error._tag === "StoreUnavailable"
    }),
    count
  )

/** Submits one entry, and says so while it is acknowledged. */
const next = Effect.fnUntraced(function*(log: MobLog, aggregate: string, revision: number, heads: Heads) {
  const bytes = new TextEncoder().encode(`${log.mob} ${aggregate} ${revision} `.repeat(9))
  const blob = also === "all" && revision % 40 === 1 ? `blob:${(yield* log.putBlob(bytes)).sha256}` : ""
  const facts = [{ revision, blob, filler: "x".repeat((revision * 37) % 300) }]
  const head = { aggregate, revision, snapshot: () => ({ aggregate, count: revision, blob }) }
  yield* Effect.callback<void, StoreError>((resume) => {
    heads.set(aggregate, head)
    log.submit({
      entries: [entry(aggregate, revision, { facts, snapshot: head.snapshot })],
      committed: ({ cursor, position }) => {
        say(`ack ${log.mob} ${aggregate} ${revision} ${position} ${cursor}`)
        resume(Effect.void)
      },
      failed: (error) => resume(Effect.fail(error))
    })
  })
})

/** The newest state of each aggregate that was submitted. */
type Heads = Map<string, HeadOnly>

const answer = (log: MobLog, heads: Heads) =>
  log.listen({
    headWanted: (aggregate) => {
      const head = heads.get(aggregate)
      if (head !== undefined) log.submit({ entries: [], heads: [head], committed: () => {}, failed: () => {} })
    }
  })

const write = Effect.fnUntraced(function*(log: MobLog, aggregate: string, heads: Heads) {
  let revision = yield* load(log, aggregate)
  for (;;) {
    const result = yield* Effect.result(next(log, aggregate, revision + 1, heads))
    if (result._tag === "Success") revision++
    else {
      say(`fail ${result.failure._tag} ${"outcome" in result.failure ? result.failure.outcome : ""}`)
      revision = yield* load(log, aggregate)
    }
  }
})

/** Keeps the newest 50 events, again and again. */
const prune = (log: MobLog) =>
  Effect.forever(Effect.andThen(
    Effect.flatMap(
      Effect.suspend(() => log.prune({ events: Math.max(1, log.latestCursor() - 50), forget: [] })),
      ({ firstCursor }) => Effect.sync(() => say(`pruned ${firstCursor}`))
    ),
    Effect.sleep(5)
  ))

/** Makes a mob of some blocks, and destroys it, again and again. */
const destroy = (journal: StoreShape) =>
  Effect.forever(Effect.gen(function*() {
    const log = yield* journal.acquire(MobId.make("short"))
    yield* log.putBlob(new Uint8Array(100))
    const from = count(yield* log.load("mob"))
    for (let revision = from + 1; revision <= from + 5; revision++) yield* submit(log, [entry("mob", revision)])
    yield* journal.destroy(log.mob)
    say("destroyed")
  }))

/** Looks for the file that says so; not by a watcher, which would come later than the next look. */
const begun: Effect.Effect<void> = Effect.suspend(() =>
  go === "" || fs.existsSync(go) ? Effect.void : Effect.andThen(Effect.sleep(1), begun)
)

await Effect.runPromise(
  Effect.andThen(
    begun,
    Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* journal.acquire(team)
      say(`ready ${log.epoch}`)
      const logs = [log]
      const heads: Heads = new Map()
      if (also === "all") {
        const pruned = yield* journal.acquire(MobId.make("pruned"))
        logs.push(pruned)
        answer(pruned, heads)
        yield* Effect.forkChild(prune(pruned))
        yield* Effect.forkChild(destroy(journal))
      }
      yield* Effect.forEach(
        Array.from({ length: Number(writers) }, (_, index) => index),
        (index) => write(logs[index % logs.length] ?? log, `run/${index}`, heads),
        { concurrency: "unbounded" }
      )
    }).pipe(Effect.provide(JournalLevel.layer({ dir, socket: "/nowhere.sock" })))
  )
)
