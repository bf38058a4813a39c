/**
 * Mobs whose every record follows from its name and number, so that whatever is read of a damaged copy can be told from
 * what was written.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import type { Repaired } from "../../../core/journal/copy/index.ts"
import { MobId } from "../../../sdk/ids.ts"
import type { JsonObject } from "../../../sdk/json.ts"
import type { Entry, MobLog, StoreShape } from "../../../sdk/store.ts"
import { submit } from "../logs.ts"

export const names = ["team", "other", "third"].map((name) => MobId.make(name))
const hash = (text: string) => createHash("sha256").update(text).digest("hex")
const filler = (text: string, length: number) => hash(text).repeat(1 + length / 64).slice(0, length)

const blobsOf = (mob: string) => [`${mob} one`, `${mob} two`].map((text) => filler(text, 3000))
const pins = [1, 2].map((number) => ({
  digest: hash(`pin ${number}`),
  definition: { text: filler(`p${number}`, 400) }
}))

const facts = (mob: string, aggregate: string, revision: number): ReadonlyArray<JsonObject> => [
  {
    revision,
    filler: filler(`${mob}${aggregate}${revision}`, 20 + (revision * 37) % 300),
    ...(aggregate === "mob" && revision <= 2 ? { blob: `blob:${hash(blobsOf(mob)[revision - 1] ?? "")}` } : {})
  }
]
const event = (mob: string, aggregate: string, revision: number): JsonObject => ({
  type: "counted",
  mob,
  aggregate,
  revision
})
const state = (mob: string, aggregate: string, revision: number): JsonObject => ({
  aggregate,
  count: revision,
  filler: filler(`s${mob}${aggregate}${revision}`, 200)
})

const turn = (mob: string, aggregate: string, revision: number, terminal = false): Entry => ({
  aggregate,
  revision,
  at: 1000 + revision,
  facts: facts(mob, aggregate, revision),
  events: revision % 3 === 0 ? [] : [event(mob, aggregate, revision)],
  snapshot: () => state(mob, aggregate, revision),
  terminal
})

/** What a mob was before it was damaged. */
export interface Truth {
  readonly mob: MobId
  readonly position: number
  readonly events: ReadonlyArray<JsonObject>
  /** Cursor of the first of them. */
  readonly first: number
  readonly revisions: ReadonlyMap<string, number>
  /** Position of each `aggregate revision`. */
  readonly positions: ReadonlyMap<string, number>
}

/** Writes the mobs. */
export const fill = Effect.fnUntraced(function*(store: StoreShape) {
  const truths: Array<Truth> = []
  for (const [index, mob] of names.entries()) {
    const log = yield* store.acquire(mob)
    for (const text of blobsOf(mob)) yield* log.putBlob(new TextEncoder().encode(text))
    const revisions = new Map<string, number>()
    const positions = new Map<string, number>()
    const events: Array<JsonObject> = []
    let position = 0
    const take = Effect.fnUntraced(function*(list: ReadonlyArray<Entry>, more: Parameters<typeof submit>[2] = {}) {
      const at = yield* submit(log, list, more)
      position = at.position + list.length - 1
      for (const [index, { aggregate, events: added, revision }] of list.entries()) {
        positions.set(`${aggregate} ${revision}`, at.position + index)
        revisions.set(aggregate, revision)
        events.push(...added)
      }
    })
    const one = (aggregate: string, terminal = false) =>
      turn(mob, aggregate, (revisions.get(aggregate) ?? 0) + 1, terminal)
    yield* take([one("mob")], { pins })
    for (let number = 1; number <= 90 - index * 20; number++) {
      yield* take([one("mob"), ...(number % 4 === 1 ? [one(`run/${number}`)] : [])])
      if (number % 4 === 3) yield* take([one(`run/${number - 2}`, number % 8 === 3)])
      if (number % 30 === 0) {
        yield* take([], {
          heads: [{
            aggregate: "mob",
            revision: revisions.get("mob") ?? 0,
            snapshot: () => state(mob, "mob", revisions.get("mob") ?? 0)
          }]
        })
      }
      if (number === 50 && index === 1) yield* log.prune({ events: 40, forget: ["run/1"] })
    }
    if (index === 1) revisions.delete("run/1")
    const first = yield* log.events(0, 1).pipe(
      Effect.as(1),
      Effect.catchTag("HistoryPruned", ({ first_cursor }) => Effect.succeed(first_cursor))
    )
    truths.push({ mob, position, events: events.slice(first - 1), first, revisions, positions })
  }
  return truths
})

/** What a repaired store holds that was not written, or does not hold and does not list. */
export const differences = Effect.fnUntraced(
  function*(store: StoreShape, truths: ReadonlyArray<Truth>, { lost }: Pick<Repaired, "lost">) {
    const wrong: Array<string> = []
    const commits = lost.some((loss) => loss.type === "commits")
    /** Whether something of this kind can be missing that nothing names. */
    const unnamed = (of: "mobs" | "heads" | "definitions") =>
      lost.some((loss) => loss.type === "records" && (loss.of === of || loss.of === "everything"))
    let nameless = lost.filter((loss) => loss.type === "mob").length
    for (const truth of truths) {
      const { mob } = truth
      const there = yield* store.inspect(mob)
      if (there === undefined) {
        if (!commits && !unnamed("mobs") && nameless-- <= 0) wrong.push(`mob ${mob} is missing`)
        continue
      }
      const log = yield* store.acquire(mob)
      const listed = lost.filter((loss) => "mob" in loss && loss.mob === mob)
      const history = listed.find((loss) => loss.type === "history")
      const first = history === undefined ? truth.first : history.first_cursor
      const latest = log.latestCursor()
      const isLost = (aggregate: string, revision: number) => {
        const at = truth.positions.get(`${aggregate} ${revision}`) ?? 0
        return commits || listed.some((loss) => loss.type === "entries" && loss.first <= at && at <= loss.last)
      }
      const last = truth.first + truth.events.length - 1
      if (latest < last && !commits) wrong.push(`${mob} ends at cursor ${latest}, not ${last}`)
      const events = yield* Effect.result(log.events(first - 1, 1_000_000))
      if (events._tag === "Failure") wrong.push(`${mob}: ${events.failure.message}`)
      else {
        if (events.success.length !== latest - first + 1) wrong.push(`${mob} has a gap in its events`)
        for (const it of events.success) {
          if (!isDeepStrictEqual(it.event, truth.events[it.cursor - truth.first])) {
            wrong.push(`${mob} event ${it.cursor}`)
          }
        }
      }
      for (const [aggregate, revision] of truth.revisions) {
        const lossOf = listed.find((loss) => "aggregate" in loss && loss.aggregate === aggregate)
        const loaded = yield* Effect.result(log.load(aggregate))
        if (loaded._tag === "Failure") {
          wrong.push(`${mob} ${aggregate}: ${loaded.failure.message}`)
          continue
        }
        const found = loaded.success
        if (found === undefined) {
          // Which of the runs have ended, and are not in the log any more.
          const ended = /^run\/\d+$/.test(aggregate) && Number(aggregate.slice(4)) % 8 === 1
          if (lossOf?.type !== "aggregate" && !isLost(aggregate, 1) && !(unnamed("heads") && ended)) {
            wrong.push(`${mob} ${aggregate} is missing`)
          }
          continue
        }
        let stands = found.head?.revision ?? 0
        if (!isDeepStrictEqual(found.head?.state, state(mob, aggregate, stands))) wrong.push(`${mob} ${aggregate} head`)
        for (const entry of found.entries) {
          stands++
          if (entry.revision !== stands || !isDeepStrictEqual(entry.facts, facts(mob, aggregate, stands))) {
            wrong.push(`${mob} ${aggregate} revision ${stands}`)
          }
        }
        const expected = lossOf?.type === "revisions" ? lossOf.first - 1 : revision
        if (stands !== expected && !(stands < expected && isLost(aggregate, stands + 1))) {
          wrong.push(`${mob} ${aggregate} stands at ${stands}, not ${expected}`)
        }
      }
      for (const { definition, digest } of pins) {
        const pin = yield* log.pinned(digest)
        if (
          pin === undefined
            ? !commits && !unnamed("definitions")
              && !lost.some((it) => it.type === "definition" && it.digest === digest)
            : !isDeepStrictEqual(pin, definition)
        ) {
          wrong.push(`definition ${digest}`)
        }
      }
      for (const text of blobsOf(mob)) {
        const blob = yield* log.blob(hash(text))
        const wasListed = listed.some((it) => it.type === "blob" && it.sha256 === hash(text))
        const gone = wasListed || commits || listed.some((it) => it.type === "aggregate")
          || history !== undefined
        if (blob === undefined ? !gone : new TextDecoder().decode(blob) !== text) {
          wrong.push(`${mob} blob ${hash(text)}`)
        }
      }
      wrong.push(...(yield* goesOn(log, truth, commits)))
    }
    return wrong
  }
)

/** Each live aggregate takes a turn, above everything there was. */
const goesOn = Effect.fnUntraced(function*(log: MobLog, truth: Truth, commits: boolean) {
  const wrong: Array<string> = []
  for (const aggregate of yield* log.live) {
    const loaded = yield* log.load(aggregate)
    const revision = loaded?.entries.at(-1)?.revision ?? loaded?.head?.revision ?? 0
    const at = yield* submit(log, [turn(truth.mob, aggregate, revision + 1)])
    if (!commits && at.position <= truth.position) wrong.push(`${truth.mob} gave position ${at.position} again`)
    if (!commits && at.cursor < truth.first + truth.events.length) {
      wrong.push(`${truth.mob} gave cursor ${at.cursor} again`)
    }
  }
  return wrong
})
