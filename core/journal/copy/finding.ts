/**
 * What is wrong with a store, as data.
 */
import type { StoreCorrupted } from "../../../sdk/store.ts"
import { describeKey, type Key } from "../keys.ts"

/** One thing that is not as it was written, or not as this program writes it. */
export interface Finding {
  /** `record`: a record is there and is not what was written. `store`: records are missing, or do not fit together. */
  readonly kind: "record" | "store"
  /** File, key or record. */
  readonly where: string
  readonly what: string
  readonly remedy: string
}

/** Takes findings. */
export type Find = (where: Key | string, what: string, remedy?: string, kind?: Finding["kind"]) => void

const remedyOfAll = "restore a backup, or save what is intact: mob store repair FROM TO"

/** A list, and what adds to it. */
export const findings = (): { readonly list: Array<Finding>; readonly find: Find } => {
  const list: Array<Finding> = []
  return {
    list,
    find: (where, what, remedy = remedyOfAll, kind = "store") => {
      list.push({ kind, where: typeof where === "string" ? where : describeKey(where), what, remedy })
    }
  }
}

/** Runs a decoder; what it finds is a finding, and gives undefined. */
export const sound = <A>(find: Find, key: Key, decode: () => A): A | undefined => {
  try {
    return decode()
  } catch (error) {
    // A checksum that matched by chance over text that is no JSON throws something else.
    find(key, isCorrupted(error) ? error.what : String(error), undefined, "record")
    return undefined
  }
}

const isCorrupted = (error: unknown): error is StoreCorrupted =>
  error instanceof Error && "_tag" in error && error._tag === "StoreCorrupted"
