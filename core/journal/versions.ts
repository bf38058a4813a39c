/**
 * Versions of what the journal itself stores. Each record carries its version `v`, from 1. When the shape of a record
 * type changes, its list gets the upgrader that makes the new version of the one before: old records are read as if
 * they were of today, and are written anew only as they would be anyhow. The newest version is the length of the list
 * plus one. Golden files keep each version under test. What machines store inside has versions of its own.
 */
import { SchemaUnsupported } from "../../sdk/store-errors.ts"
import type { RecordType } from "./keys.ts"

/** A record, checked, without `v` and `crc`. */
export interface Contents {
  /** Flat. */
  readonly header: { readonly [field: string]: number | string | boolean }
  readonly body: string
}

/** Makes version n + 1 of version n. Pure. */
export type Upgrader = (contents: Contents) => Contents

/** The upgraders of each record type: from version 1, from version 2, and so on. */
type RecordVersions = { readonly [type in RecordType]: ReadonlyArray<Upgrader> }

/** Everything is in its first version yet. */
export const recordVersions: RecordVersions = { meta: [], mob: [], block: [], head: [], checkpoint: [], pin: [] }

/** The contents of a record of version `found` as the newest. Throws `SchemaUnsupported` if a later program wrote it. */
export const newest = (
  what: string,
  found: number,
  contents: Contents,
  upgraders: ReadonlyArray<Upgrader>
): Contents => {
  const supported = upgraders.length + 1
  if (found === supported) return contents
  if (found > supported) throw new SchemaUnsupported({ what, found, supported })
  return upgraders.slice(found - 1).reduce((older, upgrade) => upgrade(older), contents)
}
