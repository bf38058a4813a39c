/**
 * Reads all of a database, whatever is wrong with it: what is intact, and what is not.
 */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import { SchemaUnsupported } from "../../../sdk/store.ts"
import { unsealBlock } from "../block.ts"
import { unsealCheckpoint } from "../checkpoint.ts"
import { headState, unsealHead } from "../head.ts"
import { aggregateOf, type Key, mobKeys, mobOf, parseBlockKey, pinKeys } from "../keys.ts"
import type { DatabaseReads } from "../medium.ts"
import { format, isThere, type Registered, unsealMeta, unsealMob } from "../registry.ts"
import { unseal } from "../seal.ts"
import { eachRecord } from "./careful.ts"
import { type Find, sound, type Unread } from "./finding.ts"
import { MobSurvey } from "./mob-survey.ts"

/** What a database holds. */
export interface Survey {
  /** Undefined if it cannot be read. */
  readonly seqFloor: number | undefined
  /** By name. */
  readonly registry: ReadonlyMap<string, Registered>
  /** Names whose record cannot be read. */
  readonly unreadable: ReadonlyArray<string>
  /** By number; those that have a record or anything else. */
  readonly mobs: ReadonlyMap<number, MobSurvey>
  /** Definitions that can be read, as text, by digest. */
  readonly pins: ReadonlyMap<string, string>
  /** Digests of definitions that cannot be read. */
  readonly damagedPins: ReadonlyArray<string>
}

/** Surveys a database. Never fails: what cannot be read is told to `find`. */
export const survey = Effect.fnUntraced(function*(reads: DatabaseReads, find: Find): Effect.fn.Return<Survey> {
  const mobs = new Map<number, MobSurvey>()
  const registry = new Map<string, Registered>()
  const destroyed = new Set<number>()
  const mobAt = (mobNo: number) => {
    // What is left of a mob that is being destroyed need not fit together.
    const known = mobs.get(mobNo) ?? new MobSurvey(mobNo, destroyed.has(mobNo) ? () => {} : find)
    mobs.set(mobNo, known)
    return known
  }
  // It may be another one whose key was damaged.
  const strange = (of: Unread, key: Key) =>
    find(key, "no such record is ever written", { unread: { of, after: key, before: key } })
  let seqFloor: number | undefined
  let any = false
  yield* eachRecord(reads, "meta", { gte: Buffer.of(0x00), lt: mobKeys.gte }, find, (key, value) => {
    any = true
    const meta = sound(find, key, () => unsealMeta(value))
    if (meta === undefined || meta.format === format) {
      seqFloor = meta?.seqFloor
      return
    }
    const { format: found } = meta
    const later = new SchemaUnsupported({ what: "the data directory", found, supported: format })
    find(key, `its format is ${found}, not ${format}`, found > format ? { later } : {})
  })

  const unreadable: Array<string> = []
  yield* eachRecord(reads, "mobs", mobKeys, find, (key, value) => {
    any = true
    const registered = sound(find, key, () => unsealMob(key, value))
    if (registered === undefined) unreadable.push(mobOf(key))
    else registry.set(mobOf(key), registered)
  })
  for (const { destroyed: gone, mobNo } of registry.values()) if (gone !== undefined) destroyed.add(mobNo)
  // Checkpoints, then heads, then blocks: so each can be compared with those before it.
  yield* eachRecord(reads, "checkpoints", { gte: Buffer.of(0x12), lt: pinKeys.gte }, find, (key, value) => {
    any = true
    if (key[0] !== 0x12 || key.length !== 5) return strange("checkpoints", key)
    const mobNo = key.readUInt32BE(1)
    mobAt(mobNo).checkpoint = sound(find, key, () => unsealCheckpoint(mobNo, value))
  })
  yield* eachRecord(reads, "heads", { gte: Buffer.of(0x11), lt: Buffer.of(0x12) }, find, (key, value) => {
    any = true
    if (key.length < 6) return strange("heads", key)
    const mob = mobAt(key.readUInt32BE(1))
    const aggregate = aggregateOf(key)
    const head = sound(find, key, () => {
      const head = unsealHead(mob.mobNo, aggregate, value)
      headState(mob.mobNo, aggregate, head)
      return head
    })
    if (head === undefined) mob.damagedHeads.add(aggregate)
    else mob.head(aggregate, head)
  })
  yield* eachRecord(reads, "entries", { gte: Buffer.of(0x03), lt: Buffer.of(0x11) }, find, (key, value) => {
    any = true
    if (key[0] !== 0x10 || key.length !== 13) return strange("entries", key)
    const { mobNo, position } = parseBlockKey(key)
    const block = sound(find, key, () => unsealBlock(key, value))
    if (block === undefined || block.position !== position) mobAt(mobNo).damagedBlock(position)
    else mobAt(mobNo).block(block)
  })

  const pins = new Map<string, string>()
  const damagedPins: Array<string> = []
  yield* eachRecord(reads, "definitions", { gte: pinKeys.gte, lt: Buffer.of(0xff, 0xff) }, find, (key, value) => {
    any = true
    if (key[0] !== pinKeys.gte[0] || key.length !== 33) return strange("definitions", key)
    const digest = key.toString("hex", 1)
    const text = sound(find, key, () => readPin(key, value))
    if (text === undefined) damagedPins.push(digest)
    else pins.set(digest, text)
  })
  if (any && seqFloor === undefined) find("the meta record", "it cannot be read, or is missing")
  for (const registered of registry.values()) if (isThere(registered)) mobAt(registered.mobNo)
  for (const mob of mobs.values()) mob.done()
  return { seqFloor, registry, unreadable, mobs, pins, damagedPins }
})

const readPin = (key: Key, value: string): string => {
  const { body } = unseal(key, value)
  JSON.parse(body)
  return body
}
