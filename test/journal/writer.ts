/**
 * A process that writes to a data directory until it is killed. Arguments: directory, number of aggregates, and `prune`
 * if it is to prune all the time, `destroy` if it is to destroy another mob all the time. Prints `ready <epoch>`, a line for each acknowledgement (`ack <aggregate> <revision> <position> <cursor>`) and one for each
 * failure (`fail <tag> <outcome>`), after which that writer waits for the barrier, loads, and goes on.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal, type MobLog, type StoreShape } from "../../sdk/store.ts"
import { count, entry, submit, team } from "./logs.ts"

const [dir = "", writers = "4", also = "nothing"] = process.argv.slice(2)
const say = (line: string) => fs.writeSync(1, `${line}\n`)

const load = (log: MobLog, aggregate: string) =>
  Effect.map(
    Effect.retry(Effect.andThen(log.barrier(aggregate), log.load(aggregate)), {
      while: (error) => error._tag === "StoreUnavailable"
    }),
    count
  )

const write = Effect.fnUntraced(function*(log: MobLog, aggregate: string) {
  let revision = yield* load(log, aggregate)
  for (;;) {
    const facts = [{ revision: revision + 1, filler: "x".repeat((revision * 37) % 900) }]
    const result = yield* Effect.result(submit(log, [entry(aggregate, revision + 1, { facts })]))
    if (result._tag === "Success") {
      say(`ack ${aggregate} ${++revision} ${result.success.position} ${result.success.cursor}`)
    } else {
      say(`fail ${result.failure._tag} ${"outcome" in result.failure ? result.failure.outcome : ""}`)
      revision = yield* load(log, aggregate)
    }
  }
})

/** Keeps the newest 50 events, again and again. */
const prune = (log: MobLog) =>
  Effect.forever(Effect.andThen(
    Effect.flatMap(
      Effect.suspend(() => log.prune({ events: log.latestCursor() - 50, forget: [] })),
      ({ firstCursor }) => Effect.sync(() => say(`pruned ${firstCursor}`))
    ),
    Effect.sleep(5)
  ))

/** Makes a mob of some blocks, and destroys it, again and again. */
const destroy = (journal: StoreShape) =>
  Effect.forever(Effect.gen(function*() {
    const log = yield* journal.acquire(MobId.make("short"))
    yield* log.putBlob(new Uint8Array(100))
    for (let revision = 1; revision <= 5; revision++) yield* submit(log, [entry("mob", revision)])
    yield* journal.destroy(log.mob)
    say("destroyed")
  }))

await Effect.runPromise(
  Effect.gen(function*() {
    const journal = yield* Journal
    const log = yield* journal.acquire(team)
    say(`ready ${log.epoch}`)
    if (also === "prune") yield* Effect.forkChild(prune(log))
    if (also === "destroy") yield* Effect.forkChild(destroy(journal))
    yield* Effect.forEach(
      Array.from({ length: Number(writers) }, (_, index) => `run/${index}`),
      (name) => write(log, name),
      {
        concurrency: "unbounded"
      }
    )
  }).pipe(Effect.provide(JournalLevel.layer({ dir, socket: "/nowhere.sock" })))
)
