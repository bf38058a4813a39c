/**
 * What appends through the store contract cost, against raw LevelDB, SQLite and a file that is synced.
 *
 * A writer is one aggregate: its entries hold one fact of 256 B or 4 KB and no event, and it submits the next when the
 * one before is committed. The journal makes the JSON, numbers and checks the entries, writes heads and checkpoints; the
 * floors write ready text. Flushes are what the kernel counted for the whole device, so those of others are among them;
 * commits are our own count.
 */
import { Effect, Layer, type Scope } from "effect"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { flushes, folder } from "../disk.ts"
import { pairs, report, shown, spread, timed } from "../measure.ts"
import { file, type Floor, rawBatch, rawPut, sqlite } from "./floors.ts"
import { type Appender, closedLoop, type Payload, payloadsOf } from "./workload.ts"

interface Row {
  readonly floor: Floor
  /** Appends of each writer in a sample. */
  readonly each: number
  /** The least of the floor's pace. */
  readonly least?: number
}

interface Table {
  readonly writers: number
  readonly bytes: number
  readonly rows: ReadonlyArray<Row>
}

const tables: ReadonlyArray<Table> = [256, 4096].flatMap((bytes): ReadonlyArray<Table> => [
  {
    writers: 1,
    bytes,
    rows: [
      { floor: rawPut, each: 250, least: 0.9 },
      { floor: sqlite, each: 250 },
      { floor: file, each: 250 }
    ]
  },
  {
    writers: 64,
    bytes,
    rows: [
      { floor: rawBatch, each: 100 * 256 / bytes + 20, least: 0.8 },
      { floor: rawPut, each: 5 },
      { floor: sqlite, each: 100 * 256 / bytes + 20 },
      { floor: file, each: 100 * 256 / bytes + 20 }
    ]
  },
  {
    writers: 1_000,
    bytes,
    rows: [
      { floor: rawBatch, each: bytes === 256 ? 20 : 6, least: 0.65 },
      { floor: rawPut, each: 1 },
      { floor: sqlite, each: bytes === 256 ? 20 : 6 },
      { floor: file, each: bytes === 256 ? 20 : 6 }
    ]
  }
])

const RUN = "run/"

/** The journal, with an aggregate a writer. */
const journal = (next: () => Payload) =>
  Effect.gen(function*() {
    const { acquire, batches } = yield* Journal
    const log = yield* acquire(MobId.make("bench"))
    const revisions: Array<number> = []
    // As a durable cell answers: opening depends on it.
    log.listen({
      headWanted: (aggregate) => {
        const revision = revisions[Number(aggregate.slice(RUN.length))] ?? 0
        log.submit({
          entries: [],
          heads: [{ aggregate, revision, snapshot: () => ({ revision }) }],
          committed: () => {},
          failed: () => {}
        })
      }
    })
    const appender: Appender = {
      name: "journal",
      append: (writer, committed, failed) => {
        const revision = (revisions[writer] ?? 0) + 1
        revisions[writer] = revision
        log.submit({
          entries: [{
            aggregate: `${RUN}${writer}`,
            revision,
            at: revision,
            facts: [next().fact],
            events: [],
            snapshot: () => ({ revision }),
            terminal: false
          }],
          committed,
          failed
        })
      },
      commits: batches
    }
    return appender
  })

/** Figures of one appender, a sample each. */
class Measured {
  readonly paces: Array<number> = []
  readonly commits: Array<number> = []
  readonly flushes: Array<number> = []
  readonly worked: Array<number> = []
  readonly #appender: Appender
  readonly #dir: string

  constructor(appender: Appender, dir: string) {
    this.#appender = appender
    this.#dir = dir
  }

  readonly sample = async (writers: number, each: number): Promise<number> => {
    const commits = this.#appender.commits()
    const device = flushes(this.#dir)
    const { took, worked } = await timed(() => closedLoop(this.#appender.append, writers, each))
    if (device !== undefined) this.flushes.push((flushes(this.#dir) ?? 0) - device)
    this.commits.push(this.#appender.commits() - commits)
    this.paces.push(writers * each / took * 1_000)
    this.worked.push(worked * 1_000 / (writers * each))
    return took
  }
}

const median = (values: ReadonlyArray<number>, digits = 0): string =>
  values.length === 0 ? "?" : spread(values).median.toFixed(digits)

const measureRow = Effect.fnUntraced(function*(
  { bytes, writers }: Table,
  { each, floor, least }: Row
): Effect.fn.Return<void, unknown, Scope.Scope> {
  // Both begin anew, so that neither carries what another row wrote.
  const [ourDir, floorDir] = yield* Effect.all([folder, folder])
  const next = payloadsOf(bytes)
  const raw = yield* floor(floorDir, next)
  yield* Effect.gen(function*() {
    const ours = new Measured(yield* journal(next), ourDir)
    const theirs = new Measured(raw, floorDir)
    const found = yield* Effect.promise(() =>
      pairs(() => ours.sample(writers, each), () => theirs.sample(writers, each))
    )
    const ratios = spread(found.map((pair) => pair.floor / pair.ours))
    report(
      `${writers} writers, ${bytes} B, pace against ${raw.name}`,
      `${shown(ratios)}; ${median(ours.paces)} against ${median(theirs.paces)} appends/s`,
      least === undefined ? undefined : { text: `>= ${least}`, held: ratios.median >= least }
    )
    report(
      `  ${writers * each} appends, journal against floor`,
      `${median(ours.commits)} against ${median(theirs.commits)} commits; the device counted ${
        median(ours.flushes)
      } against ${median(theirs.flushes)} flushes; ${median(ours.worked, 2)} against ${
        median(theirs.worked, 2)
      } us of the main thread each`
    )
  }).pipe(Effect.provide(JournalLevel.layer({ dir: ourDir }).pipe(Layer.orDie)))
})

/** Measures and prints all rows. */
export const benchAppend: Effect.Effect<void, unknown> = Effect.forEach(
  tables.flatMap((table) => table.rows.map((row) => [table, row] as const)),
  ([table, row]) => Effect.scoped(measureRow(table, row)),
  { discard: true }
)
