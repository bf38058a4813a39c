/**
 * What is not in a repaired store, as data. What is known of it by name is named; where nothing tells what stood there,
 * it is said between which records that was.
 */
import { aggregateOf, type Key, mobOf, parseBlockKey } from "../keys.ts"
import type { Gap, Unread } from "./finding.ts"
import type { MobSurvey } from "./mob-survey.ts"
import type { LostAggregate, Salvage } from "./salvage.ts"
import type { Survey } from "./survey.ts"

/** Something that is not in the repaired store. */
export type Loss =
  /**
   * All of a mob: its record, which says its name and number, cannot be read. Where both are known, they are of the only
   * record that cannot be read and of the only number without a name, which must be the same mob's.
   */
  | { readonly type: "mob"; readonly mob: string | undefined; readonly number: number | undefined }
  /** The state of an aggregate. */
  | { readonly type: "aggregate"; readonly mob: string; readonly aggregate: string }
  /** The newest revisions of an aggregate; it stands at the one before. */
  | {
    readonly type: "revisions"
    readonly mob: string
    readonly aggregate: string
    readonly first: number
    readonly last: number
  }
  /** Events and entries before these; what was pruned before is not told from what is lost. */
  | { readonly type: "history"; readonly mob: string; readonly first_cursor: number; readonly first_position: number }
  /** Entries at these positions: an aggregate whose newest revisions they were stands before them. */
  | {
    readonly type: "entries"
    readonly mob: string
    readonly first: number
    readonly last: number
    /** Revisions that were among them, as far as later ones of the same aggregate tell. */
    readonly aggregates: ReadonlyArray<{ readonly aggregate: string; readonly first: number; readonly last: number }>
  }
  /**
   * Records of which nothing else tells, such as ended runs, can have stood between these two; before or after all that
   * there are of a kind, where one is not said.
   */
  | {
    readonly type: "records"
    readonly of: Exclude<Unread, "meta">
    readonly after: string | undefined
    readonly before: string | undefined
  }
  /** Group commits of which nothing is left: which mobs they were of is not known. */
  | { readonly type: "commits"; readonly first: number; readonly last: number }
  | { readonly type: "definition"; readonly digest: string }
  | { readonly type: "blob"; readonly mob: string; readonly sha256: string }
  | { readonly type: "secrets"; readonly reason: string }

/** What keeping this of a mob loses of it. */
export const lossesOf = (mob: string, seen: MobSurvey, { first, holes, lost }: Salvage): ReadonlyArray<Loss> => [
  ...(first.position > seen.first.position
    ? [{ type: "history" as const, mob, first_cursor: first.cursor, first_position: first.position }]
    : []),
  ...holes.map((hole, index) => entriesLost(mob, hole, seen, holes[index + 1]?.[0] ?? Infinity)),
  ...lost.map((it) => aggregateLost(mob, it))
]

const entriesLost = (
  mob: string,
  [first, last]: readonly [number, number],
  { missing }: MobSurvey,
  next: number
): Loss => ({
  type: "entries",
  mob,
  first,
  last,
  aggregates: missing.filter(({ before }) => before > last && before < next)
    .map(({ aggregate, first, last }) => ({ aggregate, first, last }))
})

const aggregateLost = (mob: string, { aggregate, revisions }: LostAggregate): Loss =>
  revisions === undefined
    ? { type: "aggregate", mob, aggregate }
    : { type: "revisions", mob, aggregate, first: revisions[0], last: revisions[1] }

/** What stood where nothing can be read. What positions tell, and what is no fact, is left out. */
export const lossesIn = (gaps: ReadonlyArray<Gap>, { registry }: Survey): ReadonlyArray<Loss> => {
  const names = new Map(Array.from(registry, ([name, { mobNo }]) => [mobNo, name]))
  const nameOf = (mobNo: number) => {
    const name = names.get(mobNo)
    return name === undefined ? `mob number ${mobNo}` : `mob ${name}`
  }
  const words = (of: Unread, key: Key | undefined): string | undefined => {
    if (key === undefined) return undefined
    switch (of) {
      case "mobs":
        return mobOf(key)
      case "heads":
        return key.length < 6 ? key.toString("hex") : `${aggregateOf(key)} of ${nameOf(key.readUInt32BE(1))}`
      case "entries":
        return key.length < 13
          ? key.toString("hex")
          : `position ${parseBlockKey(key).position} of ${nameOf(parseBlockKey(key).mobNo)}`
      case "checkpoints":
        return key.length < 5 ? key.toString("hex") : nameOf(key.readUInt32BE(1))
      default:
        return key.toString("hex", 1)
    }
  }
  return gaps.flatMap(({ after, before, of }): ReadonlyArray<Loss> => {
    if (of === "meta") return []
    // Between two blocks of one mob positions say what is missing.
    if (
      of === "entries" && after?.length === 13 && before?.length === 13
      && after.readUInt32BE(1) === before.readUInt32BE(1)
    ) {
      return []
    }
    return [{ type: "records", of, after: words(of, after), before: words(of, before) }]
  })
}
