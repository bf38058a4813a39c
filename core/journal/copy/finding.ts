/**
 * What is wrong with a store, as data.
 */
import { SchemaUnsupported, type StoreCorrupted } from "../../../sdk/store.ts"
import { describeKey, type Key } from "../keys.ts"

/** One thing that is not as it was written, or not as this program writes it. */
export interface Finding {
  /**
   * `record`: a record is there and is not what was written. `misfit`: records do not fit together, or some are missing
   * that others tell of. `unread`: nobody knows what stood there. `later`: it is sound, and a later program wrote it.
   */
  readonly kind: "record" | "misfit" | "unread" | "later"
  /** File, key or record. */
  readonly where: string
  readonly what: string
  readonly remedy: string
}

/** Records of which some cannot be read. */
export type Unread = "everything" | "meta" | "mobs" | "entries" | "heads" | "checkpoints" | "definitions"

/** What cannot be read, between two records that can be; undefined if there is none of that kind. */
export interface Gap {
  readonly of: Unread
  readonly after: Key | undefined
  readonly before: Key | undefined
}

/** Takes findings. */
export type Find = (
  where: Key | string,
  what: string,
  more?: {
    readonly remedy?: string
    readonly kind?: "record"
    readonly unread?: Gap
    readonly later?: SchemaUnsupported
  }
) => void

/** What helps against most of them. */
export const remedyOfMost = "restore a backup, or save what is intact: mob store repair NEW"

/** What was found. */
export interface Findings {
  readonly list: Array<Finding>
  readonly gaps: Array<Gap>
  /** What a later program wrote. */
  readonly later: Array<SchemaUnsupported>
  readonly find: Find
}

/** Lists, and what adds to them; `words` puts what people know for what they do not. */
export const findings = (words: (text: string) => string = (text) => text): Findings => {
  const list: Array<Finding> = []
  const gaps: Array<Gap> = []
  const laters: Array<SchemaUnsupported> = []
  return {
    list,
    gaps,
    later: laters,
    find: (
      where,
      what,
      { kind, later, remedy = later ? "use the program that wrote it" : remedyOfMost, unread } = {}
    ) => {
      if (unread !== undefined) gaps.push(unread)
      if (later !== undefined) laters.push(later)
      list.push({
        kind: later !== undefined ? "later" : unread === undefined ? kind ?? "misfit" : "unread",
        where: words(typeof where === "string" ? where : describeKey(where)),
        what: words(what),
        remedy
      })
    }
  }
}

/** Runs a decoder; what it finds is a finding, and gives undefined. */
export const sound = <A>(find: Find, key: Key, decode: () => A): A | undefined => {
  try {
    return decode()
  } catch (error) {
    if (error instanceof SchemaUnsupported) {
      find(key, `it has version ${error.found}, this program reads ${error.supported}`, { later: error })
      return undefined
    }
    // A checksum that matched by chance over text that is no JSON throws something else.
    find(key, isCorrupted(error) ? error.what : String(error), { kind: "record" })
    return undefined
  }
}

const isCorrupted = (error: unknown): error is StoreCorrupted =>
  error instanceof Error && "_tag" in error && error._tag === "StoreCorrupted"
