/**
 * Saving what is intact of a damaged data directory into a new one. The damaged one is left as it is. Nothing is
 * written that did not pass its checksum, and whatever is not there any more is listed.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { dirname, join, resolve } from "node:path"
import { MobId } from "../../../sdk/ids.ts"
import type { StoreError } from "../../../sdk/store.ts"
import { attempt, reasonOf } from "../attempt.ts"
import { blobFiles } from "../blob-files.ts"
import { readBlob } from "../blobs.ts"
import { parseEntry, unsealBlock } from "../block.ts"
import { DataFolderUnusable } from "../errors.ts"
import { MarkFile } from "../folder.ts"
import { unsealHead } from "../head.ts"
import { blockKey, headKey } from "../keys.ts"
import { holdLevel } from "../level.ts"
import type { DatabaseReads, Shelf } from "../medium.ts"
import { isThere } from "../registry.ts"
import { readSecrets, secretsFile, writeSecrets } from "../secrets.ts"
import { missingCommits } from "./commits.ts"
import { TargetTaken } from "./errors.ts"
import { type Finding, findings } from "./finding.ts"
import { writeLostBlobs } from "./lost-blobs.ts"
import type { MobSurvey } from "./mob-survey.ts"
import { type Salvage, salvage } from "./salvage.ts"
import { openShadow, shadowOf } from "./shadow.ts"
import { type Staging, staging, type StagingError } from "./staging.ts"
import { type Survey, survey } from "./survey.ts"

/** Something that is not in the repaired store. */
export type Loss =
  /** All of a mob: its record, which says its name and number, cannot be read. Only one of both is known. */
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
  | { readonly type: "entries"; readonly mob: string; readonly first: number; readonly last: number }
  /** Records of which nothing tells: mobs, ended aggregates and definitions can be missing without another word. */
  | { readonly type: "records" }
  /** Group commits of which nothing is left: which mobs they were of is not known. */
  | { readonly type: "commits"; readonly first: number; readonly last: number }
  | { readonly type: "definition"; readonly digest: string }
  | { readonly type: "blob"; readonly mob: string; readonly sha256: string }
  | { readonly type: "secrets"; readonly reason: string }

/** What a repair came to. */
export interface Repaired {
  readonly from: string
  readonly to: string
  readonly mobs: ReadonlyArray<{
    readonly mob: string
    readonly first_position: number
    readonly position: number
    readonly first_cursor: number
    readonly cursor: number
    readonly aggregates: number
    /** Those whose entries were written again behind the history. */
    readonly seated_anew: ReadonlyArray<string>
  }>
  readonly lost: ReadonlyArray<Loss>
  readonly findings: ReadonlyArray<Finding>
}

/** Options of a repair. */
export interface RepairOptions {
  /** Names of mobs whose record cannot be read, by number. */
  readonly names?: ReadonlyMap<number, string>
}

/** What a repair can fail with. */
export type RepairError = StagingError

/** Writes what is intact of `from`, which nobody holds, to `to`, which must not be there or be an empty folder. */
export const repair = Effect.fn("Journal.repair")(
  function*(from: string, to: string, options: RepairOptions = {}): Effect.fn.Return<Repaired, RepairError> {
    return yield* Effect.scoped(Effect.flatMap(
      shadowOf(from),
      (shadow) => repairShadow(from, shadow, to, options, false)
    ))
  }
)

/** Repairs a data directory by its shadow. */
export const repairShadow = Effect.fnUntraced(
  function*(
    from: string,
    shadow: string,
    to: string,
    options: RepairOptions,
    rescueFirst: boolean
  ): Effect.fn.Return<Repaired, RepairError> {
    const target = resolve(to)
    const draft = `${target}.part`
    yield* inFolder(to, () => {
      const holds = fs.existsSync(target) && (!fs.statSync(target).isDirectory() || fs.readdirSync(target).length > 0)
      fs.rmSync(draft, { recursive: true, force: true })
      return holds
    }).pipe(Effect.flatMap((holds) => holds ? new TargetTaken({ target: to, holds: "something" }) : Effect.void))
    return yield* Effect.gen(function*() {
      const repaired = yield* Effect.scoped(Effect.gen(function*() {
        const { find, list } = findings()
        const reads = yield* openShadow(shadow, find, rescueFirst)
        const found = reads === undefined ? nothing : yield* survey(reads, find)
        const lost: Array<Loss> = []
        const mobs = yield* staging(holdLevel(draft, undefined), (staging) =>
          Effect.gen(function*() {
            const mobs = reads === undefined
              ? []
              : yield* write({ reads, shelf: blobFiles(from), staging, lost }, found, options.names ?? new Map())
            yield* staging.publish(Effect.void)
            return mobs
          }))
        if (list.some(({ kind }) => kind === "store")) lost.push({ type: "records" })
        for (const [first, last] of missingCommits(found, new MarkFile(from).read())) {
          lost.push({ type: "commits", first, last })
        }
        return { from, to, mobs, lost, findings: list }
      }))
      const reason = yield* copySecrets(from, draft)
      yield* inFolder(to, () => {
        writeLostBlobs(draft, repaired.lost.flatMap((loss) => loss.type === "blob" ? [loss.sha256] : []))
        syncFolder(draft)
        fs.renameSync(draft, target)
        syncFolder(dirname(target))
      })
      return reason === undefined
        ? repaired
        : { ...repaired, lost: [...repaired.lost, { type: "secrets" as const, reason }] }
    }).pipe(Effect.onError(() => Effect.sync(() => fs.rmSync(draft, { recursive: true, force: true }))))
  }
)

const nothing: Survey = {
  seqFloor: undefined,
  registry: new Map(),
  unreadable: [],
  mobs: new Map(),
  pins: new Map(),
  damagedPins: []
}

/** Where it is read and written. */
interface Saving {
  readonly reads: DatabaseReads
  readonly shelf: Shelf
  readonly staging: Staging
  readonly lost: Array<Loss>
}

const write = Effect.fnUntraced(
  function*(
    saving: Saving,
    found: Survey,
    names: ReadonlyMap<number, string>
  ): Effect.fn.Return<Repaired["mobs"], StagingError> {
    const { lost, staging } = saving
    const numbers = new Map<number, { readonly mob: string; readonly epoch: number }>()
    const gone = new Set<number>()
    for (const [mob, registered] of found.registry) {
      const { epoch, mobNo } = registered
      if (isThere(registered)) numbers.set(mobNo, { mob, epoch })
      else {
        gone.add(mobNo)
        staging.tombstone(mob, epoch)
      }
    }
    for (const [number, mob] of names) if (!numbers.has(number)) numbers.set(number, { mob, epoch: 1 })
    const saved = new Set(Array.from(numbers.values(), ({ mob }) => mob))
    for (const mob of found.unreadable) if (!saved.has(mob)) lost.push({ type: "mob", mob, number: undefined })
    const mobs: Array<Repaired["mobs"][number]> = []
    for (const mob of found.mobs.values()) {
      if (gone.has(mob.mobNo)) continue
      const named = numbers.get(mob.mobNo)
      if (named === undefined) lost.push({ type: "mob", mob: undefined, number: mob.mobNo })
      else mobs.push(yield* writeMob(saving, named.mob, Math.max(named.epoch, mob.epoch), mob))
    }
    for (const [digest, text] of found.pins) {
      staging.definition(digest, text)
      yield* staging.flush
    }
    for (const digest of found.damagedPins) lost.push({ type: "definition", digest })
    return mobs
  }
)

/** Blocks and heads read at once. */
const atOnce = 64

const writeMob = Effect.fnUntraced(
  function*(
    { lost, reads, shelf, staging }: Saving,
    mob: string,
    epoch: number,
    seen: MobSurvey
  ): Effect.fn.Return<Repaired["mobs"][number], StagingError> {
    const plan = salvage(seen)
    const { first } = plan
    if (first.position > seen.first.position) {
      lost.push({ type: "history", mob, first_cursor: first.cursor, first_position: first.position })
    }
    for (const [first, last] of plan.holes) lost.push({ type: "entries", mob, first, last })
    for (const { aggregate, revisions } of plan.lost) {
      lost.push(
        revisions === undefined
          ? { type: "aggregate", mob, aggregate }
          : { type: "revisions", mob, aggregate, first: revisions[0], last: revisions[1] }
      )
    }
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
    const end = plan.blocks.at(-1)?.next ?? plan.first
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
    { blocks, terminal }: Salvage
  ): Effect.fn.Return<void, StoreError> {
    for (let at = 0; at < blocks.length; at += atOnce) {
      const keys = blocks.slice(at, at + atOnce).map(({ position }) => blockKey(mobNo, position))
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

/** Gives why they could not be read. */
const copySecrets = (from: string, to: string): Effect.Effect<string | undefined, DataFolderUnusable> =>
  Effect.gen(function*() {
    if (!fs.existsSync(join(from, secretsFile))) return undefined
    const secrets = yield* Effect.result(readSecrets(from))
    if (secrets._tag === "Failure") return secrets.failure.message
    yield* writeSecrets(to, secrets.success)
    return undefined
  })

const inFolder = <A>(dir: string, use: () => A): Effect.Effect<A, DataFolderUnusable> =>
  Effect.try({ try: use, catch: (error) => new DataFolderUnusable({ dir, reason: reasonOf(error) }) })

const syncFolder = (dir: string): void => {
  const descriptor = fs.openSync(dir, fs.constants.O_RDONLY)
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
