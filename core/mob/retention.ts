/**
 * The cell that forgets: ended runs and public events past what the mob's definition keeps, so that a mob that runs for
 * months stays on a disk of one size. It looks when the mob has been open for a minute, each hour, and when many runs
 * have ended. What goes is said by the machine; keys of forgotten runs are given up in the mob's own log before.
 */
import { Cause, Clock, Effect } from "effect"
import type { Cursor, Millis, RunId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import type { ActorRef, CellSpec } from "../actor/index.ts"
import { untilReadable } from "../journal/aggregate.ts"
import { runAggregate } from "../machine/protocol.ts"
import { eventsToKeep, type Retention, retentionOf, runsToForget } from "../machine/retention.ts"
import { endOfHead } from "../machine/run/index.ts"
import type { Plans } from "./plans.ts"

const FIRST = 60_000
const EVERY = 3_600_000
/** Ended runs after which it looks, as a part of those that are kept, and at most. */
const PART = 0.1
const MOST = 1_000

/** What surrounds it. */
interface RetentionSurroundings {
  readonly log: MobLog
  readonly plans: Plans
  /** Runs that are not over, or whose cell still lives. */
  readonly busy: (run: RunId) => boolean
  /** Gives up the keys of runs; answers when that is durable. */
  readonly forgetKeys: (runs: ReadonlyArray<RunId>) => Effect.Effect<void, unknown>
}

/** See the module's text. */
export class Retaining {
  private readonly around: RetentionSurroundings
  /** Ended runs that are stored and when they ended; undefined until the store was looked through. */
  private ended: Map<RunId, Millis> | undefined
  /** Ended since the last look. */
  private news = new Map<RunId, Millis>()
  private self: ActorRef<"look"> | undefined
  private asked = false

  constructor(around: RetentionSurroundings) {
    this.around = around
  }

  /** The mob released a run that ended then. */
  released(run: RunId, at: Millis): void {
    this.news.set(run, at)
    if (this.asked || this.news.size < Math.min(MOST, this.retention.runs * PART)) return
    this.asked = this.self?.tellUnsafe("look") === true
  }

  readonly cell = (): CellSpec<null, "look", never, never> => ({
    name: "retention",
    restart: "permanent",
    init: (context) =>
      Effect.sync(() => {
        this.self = context.self
        this.asked = false
        context.setTimer("first", FIRST, "look")
        context.setPeriodicTimer("later", EVERY, "look")
        return null
      }),
    behavior: (state) =>
      Effect.suspend(() => {
        this.asked = false
        return Effect.as(
          // What could not be removed now is found again by the next look.
          Effect.catchCause(this.look, (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.interrupt
              : Effect.logWarning(`mob ${this.around.log.mob} could not remove old history`, cause)),
          state
        )
      })
  })

  private get retention(): Retention {
    return retentionOf(this.around.plans.inForce.definition.limits)
  }

  private readonly look: Effect.Effect<void, unknown> = Effect.gen({ self: this }, function*() {
    const { busy, forgetKeys, log } = this.around
    const { retention } = this
    const now = yield* Clock.currentTimeMillis
    const ended = yield* this.stored
    for (const [run, at] of this.news) ended.set(run, at)
    this.news = new Map()
    const over = Array.from(ended, ([run, at]) => ({ run, at })).filter(({ run }) => !busy(run))
    const runs = runsToForget(retention, over, now)
    const events = eventsToKeep(retention, log.latestCursor(), yield* this.firstSince(now - retention.age))
    if (runs.length === 0 && events <= log.firstCursor()) return
    if (runs.length > 0) yield* forgetKeys(runs)
    yield* log.prune({ events, forget: runs.map(runAggregate) })
    for (const run of runs) ended.delete(run)
  })

  /** Looks the store through once; the mob tells what ends later. */
  private readonly stored: Effect.Effect<Map<RunId, Millis>, StoreError> = Effect.gen({ self: this }, function*() {
    if (this.ended !== undefined) return this.ended
    const { log } = this.around
    const ended = new Map<RunId, Millis>()
    const prefix = runAggregate("" as RunId) // what all their names begin with
    for (const name of yield* log.aggregates(prefix)) {
      // One that cannot be read is left as it is.
      const loaded = yield* Effect.catchTag(log.load(name), "StoreCorrupted", () => Effect.undefined)
      if (loaded?.head?.terminal !== true) continue
      // A run's aggregate is named after its id.
      ended.set(name.slice(prefix.length) as RunId, endOfHead(loaded.head.state))
    }
    return this.ended = ended
  }).pipe(untilReadable)

  /** The first event from that time on; the next one if there is none. Times rise with cursors, but for jumps of the clock. */
  private readonly firstSince = Effect.fnUntraced(
    { self: this },
    function*(time: Millis): Effect.fn.Return<Cursor, StoreError> {
      const { log } = this.around
      let low = log.firstCursor()
      let high = log.latestCursor() + 1
      // Nearly always the first one is young enough.
      for (let middle = low; low < high; middle = (low + high) >>> 1) {
        const [event] = yield* log.events(middle - 1, 1)
        if (event !== undefined && event.at < time) low = middle + 1
        else high = middle
      }
      return low
    }
  )
}
