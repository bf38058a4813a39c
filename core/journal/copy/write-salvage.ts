/**
 * Writing what is kept of a damaged store into a new one.
 */
import { Effect } from "effect"
import { MobId } from "../../../sdk/ids.ts"
import type { StoreError } from "../../../sdk/store.ts"
import { attempt } from "../attempt.ts"
import { readBlob } from "../blobs.ts"
import { parseEntry, unsealBlock } from "../block.ts"
import { unsealHead } from "../head.ts"
import { blockKey, headKey } from "../keys.ts"
import type { DatabaseReads, Shelf } from "../medium.ts"
import { isThere } from "../registry.ts"
import { NameUnusable } from "./errors.ts"
import { type Loss, lossesOf } from "./loss.ts"
import type { MobSurvey } from "./mob-survey.ts"
import { type Salvage, salvage } from "./salvage.ts"
import type { Staging, StagingError } from "./staging.ts"
import type { Survey } from "./survey.ts"

/** A mob that was saved. */
export interface RepairedMob {
  readonly mob: string
  readonly first_position: number
  readonly position: number
  readonly first_cursor: number
  readonly cursor: number
  readonly aggregates: number
  /** Those whose entries were written again behind the history. */
  readonly seated_anew: ReadonlyArray<string>
}

/** Where it is read and written. */
export interface Saving {
  readonly reads: DatabaseReads
  readonly shelf: Shelf
  readonly staging: Staging
  readonly lost: Array<Loss>
}

/** Who has which number: as the records say, and those whose record cannot be read as `names` say. */
const namesIn = (
  found: Survey,
  names: ReadonlyMap<number, string>
): Effect.Effect<ReadonlyMap<number, { readonly mob: string; readonly epoch: number }>, NameUnusable> =>
  Effect.gen(function*() {
    const numbers = new Map<number, { readonly mob: string; readonly epoch: number }>()
    for (const [mob, { epoch, mobNo }] of found.registry) numbers.set(mobNo, { mob, epoch })
    for (const [number, mob] of names) {
      const wrong = (reason: string) => new NameUnusable({ number, mob, reason })
      const named = numbers.get(number)
      if (named !== undefined) return yield* wrong(`that is the number of mob ${named.mob}`)
      if (!found.mobs.has(number)) return yield* wrong("nothing is left of a mob with this number")
      if (Array.from(numbers.values()).some((it) => it.mob === mob)) {
        return yield* wrong("there is a mob of this name with another number")
      }
      numbers.set(number, { mob, epoch: 1 })
    }
    return numbers
  })

/** Writes all that can be kept; what cannot goes to `lost`. */
export const writeSalvage = Effect.fnUntraced(
  function*(
    saving: Saving,
    found: Survey,
    names: ReadonlyMap<number, string>
  ): Effect.fn.Return<ReadonlyArray<RepairedMob>, StagingError | NameUnusable> {
    const { lost, staging } = saving
    const numbers = yield* namesIn(found, names)
    const gone = new Set<number>()
    for (const [mob, registered] of found.registry) {
      const { epoch, mobNo } = registered
      if (isThere(registered)) continue
      gone.add(mobNo)
      staging.tombstone(mob, epoch)
    }
    const saved = new Set(Array.from(numbers.values(), ({ mob }) => mob))
    const mobs: Array<RepairedMob> = []
    const nameless: Array<number> = []
    for (const mob of found.mobs.values()) {
      if (gone.has(mob.mobNo)) continue
      const named = numbers.get(mob.mobNo)
      if (named === undefined) nameless.push(mob.mobNo)
      else mobs.push(yield* writeMob(saving, named.mob, Math.max(named.epoch, mob.epoch), mob))
    }
    lost.push(...mobsLost(found.unreadable.filter((mob) => !saved.has(mob)), nameless))
    for (const [digest, text] of found.pins) staging.definition(digest, text)
    for (const digest of found.damagedPins) lost.push({ type: "definition", digest })
    return mobs
  }
)

const mobsLost = (unreadable: ReadonlyArray<string>, nameless: ReadonlyArray<number>): ReadonlyArray<Loss> => {
  const [mob] = unreadable
  const [number] = nameless
  if (unreadable.length === 1 && nameless.length === 1) return [{ type: "mob", mob, number }]
  return [
    ...unreadable.map((mob): Loss => ({ type: "mob", mob, number: undefined })),
    ...nameless.map((number): Loss => ({ type: "mob", mob: undefined, number }))
  ]
}

/** Blocks and heads read at once. */
const atOnce = 64

const writeMob = Effect.fnUntraced(
  function*(
    { lost, reads, shelf, staging }: Saving,
    mob: string,
    epoch: number,
    seen: MobSurvey
  ): Effect.fn.Return<RepairedMob, StagingError> {
    const plan = salvage(seen)
    const { first } = plan
    lost.push(...lossesOf(mob, seen, plan))
    yield* staging.begin(MobId.make(mob), { epoch, ...first })
    const again = Array.from(plan.seats).flatMap(([aggregate, { again }]) =>
      again === undefined ? [] : [{ aggregate, entries: again }]
    )
    const behind = again.flatMap(({ entries }) => entries).sort((a, b) => a.position - b.position)
    yield* writeHeads(reads, staging, seen.mobNo, plan, behind.map(({ position }) => position))
    yield* writeHistory(reads, staging, seen.mobNo, plan)
    for (const { line } of behind) {
      const { terminal: _, ...entry } = parseEntry(line)
      // Its events have their place in the history, or were before it.
      staging.entry({ ...entry, events: [] })
      yield* staging.flush
    }
    yield* writeBlobs(shelf, staging, seen, mob, lost)
    const { cursor, position } = staging.next
    return {
      mob,
      first_position: first.position,
      position: position - 1,
      first_cursor: first.cursor,
      cursor: cursor - 1,
      aggregates: plan.seats.size,
      seated_anew: again.map(({ aggregate }) => aggregate)
    }
  }
)

const writeHeads = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    staging: Staging,
    mobNo: number,
    plan: Salvage,
    behind: ReadonlyArray<number>
  ): Effect.fn.Return<void, StoreError> {
    const seats = [...plan.seats]
    const end = plan.from < plan.blocks.length ? plan.blocks.at(-1)?.next ?? plan.first : plan.first
    for (let at = 0; at < seats.length; at += atOnce) {
      const part = seats.slice(at, at + atOnce)
      const values = yield* reads.get(part.map(([aggregate]) => headKey(mobNo, aggregate)))
      yield* attempt(() => {
        for (const [index, [aggregate, { again }]] of part.entries()) {
          const head = unsealHead(mobNo, aggregate, values[index] ?? "")
          // Seated anew it is born at its first entry behind the history; without one, behind all that is written.
          const place = again?.[0] === undefined ? behind.length : behind.indexOf(again[0].position)
          staging.head(aggregate, again === undefined ? head : { ...head, born: end.position + place })
        }
      })
      yield* staging.flush
    }
  }
)

const writeHistory = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    staging: Staging,
    mobNo: number,
    { blocks, from, terminal }: Salvage
  ): Effect.fn.Return<void, StoreError> {
    for (let at = from; at < blocks.length; at += atOnce) {
      const keys = Array.from(
        blocks.slice(at, Math.min(at + atOnce, blocks.length)),
        ({ position }) => blockKey(mobNo, position)
      )
      const values = yield* reads.get(keys)
      yield* attempt(() => {
        for (const [index, key] of keys.entries()) {
          for (const line of unsealBlock(key, values[index] ?? "").lines) {
            const entry = parseEntry(line)
            const ends = terminal.get(staging.next.position) ?? entry.terminal === true
            const { terminal: _, ...rest } = entry
            staging.entry(ends ? { ...rest, terminal: true } : rest)
          }
        }
      })
      yield* staging.flush
    }
  }
)

const writeBlobs = Effect.fnUntraced(
  function*(
    shelf: Shelf,
    staging: Staging,
    { mobNo, references }: MobSurvey,
    mob: string,
    lost: Array<Loss>
  ): Effect.fn.Return<void, StoreError> {
    const missing = new Set(references.blobs)
    for (const sha256 of yield* shelf.names(mobNo)) {
      missing.add(sha256)
      const bytes = yield* Effect.result(readBlob(shelf, mobNo, sha256))
      if (bytes._tag === "Failure" || bytes.success === undefined) continue
      missing.delete(sha256)
      yield* staging.blob(sha256, bytes.success)
    }
    for (const sha256 of missing) lost.push({ type: "blob", mob, sha256 })
  }
)
