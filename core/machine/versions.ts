/**
 * Versions of what a machine stores. Every fact, and every head, carries its version `v`, from 1. When the shape of one
 * changes, its list gets the upgrader that makes the new version of the one before, so that a log that is years old is
 * read as if it were of today; nothing on disk is rewritten for it. The newest version is the length of the list plus
 * one. Golden files keep each version under test.
 */
import { isObject, type Json, type JsonObject } from "../../sdk/json.ts"
import { SchemaUnsupported } from "../../sdk/store-errors.ts"

/** Makes version n + 1 of version n, without `v`. Pure. */
export type Upgrader = (record: JsonObject) => JsonObject

/** The upgrader from version 1, the one from version 2, and so on. */
export type Upgraders = ReadonlyArray<Upgrader>

/** What one machine stores. */
export interface Versions {
  /** For messages: `a run`. */
  readonly machine: string
  readonly head: Upgraders
  /** Upgraders of the fact types whose shape ever changed. */
  readonly facts: { readonly [type: string]: Upgraders }
}

/** A stored head in its newest version. Throws `SchemaUnsupported` if a later program wrote it. */
export const newestHead = ({ head, machine }: Versions, stored: Json): Json =>
  newest(`the head of ${machine}`, head, stored)

/**
 * A stored fact in its newest version. Throws `SchemaUnsupported` if a later program wrote it: in a later version, or of
 * a type that is not among `types`, all that there are today.
 */
export const newestFact = ({ facts, machine }: Versions, types: ReadonlySet<string>, stored: JsonObject): Json => {
  const { type, v } = stored
  if (typeof type !== "string") return stored
  const what = `the fact ${type} of ${machine}`
  if (!types.has(type) && isVersion(v)) throw new SchemaUnsupported({ what, found: v, supported: 0 })
  return newest(what, Object.hasOwn(facts, type) ? facts[type] ?? [] : [], stored)
}

// What carries no version is given back as it is: the schema refuses it.
const newest = (what: string, upgraders: Upgraders, stored: Json): Json => {
  const v = isObject(stored) ? stored["v"] : undefined
  if (!isObject(stored) || !isVersion(v)) return stored
  const supported = upgraders.length + 1
  if (v > supported) throw new SchemaUnsupported({ what, found: v, supported })
  return upgraders.slice(v - 1).reduce((record, upgrade, index) => ({ ...upgrade(record), v: v + index + 1 }), stored)
}

const isVersion = (v: Json | undefined): v is number => typeof v === "number" && Number.isSafeInteger(v) && v >= 1
