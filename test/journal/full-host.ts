/**
 * A process that writes to a data directory until there is no room, and then looks at it until it can write again.
 * Arguments: directory, and a file that it removes after 20 looks, to make room. Prints `ready`; `failed <tag> <outcome>`; one line for each look at what can be read, kept and
 * written while there is no room: `<revision> <events> <revision by inspect> <blob> <submission>`; `again <position>`.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { JournalLevel } from "../../core/journal/index.ts"
import { Journal, type StoreError } from "../../sdk/store.ts"
import { count, entry, submit, team } from "./logs.ts"

const [dir = "", ballast = ""] = process.argv.slice(2)
const say = (...words: ReadonlyArray<unknown>) => fs.writeSync(1, `${words.join(" ")}\n`)
const tag = (error: StoreError) => `${error._tag}${"outcome" in error ? `:${error.outcome}` : ""}`
const next = (revision: number) =>
  entry("mob", revision, { facts: [{ revision, filler: "x".repeat(2000) }], events: [{ type: "counted", revision }] })
const tagOf = <A>(effect: Effect.Effect<A, StoreError>) =>
  Effect.match(effect, { onFailure: tag, onSuccess: () => "ok" })

await Effect.runPromise(
  Effect.gen(function*() {
    const journal = yield* Journal
    const log = yield* journal.acquire(team)
    let revision = 0
    for (;; revision++) {
      if (revision === 100) say("ready")
      const written = yield* Effect.result(submit(log, [next(revision + 1)]))
      if (written._tag === "Success") continue
      say("failed", tag(written.failure))
      break
    }
    for (let look = 0; look < 3000; look++) {
      if (look === 20 && ballast !== "") fs.rmSync(ballast)
      const read = Effect.map(log.load("mob"), count)
      const events = Effect.map(log.events(0, 1_000_000), (events) => events.length)
      const seen = Effect.flatMap(journal.inspect(team), (mob) => Effect.map(mob!.load("mob"), count))
      const found = yield* Effect.forEach(
        [read, events, seen],
        (look) => Effect.catch(look, (error) => Effect.succeed(tag(error)))
      )
      const blob = yield* tagOf(log.putBlob(new Uint8Array(200 * 1024)))
      const written = yield* Effect.result(submit(log, [next(revision + 1)]))
      if (written._tag === "Success") return say("again", written.success.position)
      say(...found, blob, tag(written.failure))
      yield* Effect.sleep(20)
    }
  }).pipe(Effect.provide(JournalLevel.layer({ dir })))
)
