/**
 * Stores for the conformance kit: LevelDB in a folder, memory, and memory that is opened again.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Commit, CommitSeam, JournalLevel, JournalMemory, JournalTasks } from "../../../core/journal/index.ts"
import { memoryMedium } from "../../../core/journal/memory.ts"
import { openStore } from "../../../core/journal/store.ts"
import { Journal, StoreLocked, type StoreShape, type StoreSupports } from "../../../sdk/index.ts"
import type { StorePlace } from "../../../sdk/testing/index.ts"

/** A store under test. */
export interface Subject {
  readonly make: Effect.Effect<StorePlace, unknown, Scope.Scope>
  readonly supports: StoreSupports
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mobwright-conformance-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

/** Commits that fail on command: every second one that fails was written all the same. */
const failing = () => {
  let fails = false
  let written = false
  const wrap = (commit: Commit): Commit => (operations, done) => {
    if (!fails) return commit(operations, done)
    written = !written
    const failed = () => done(new Error("no answer from the disk"))
    if (written) commit(operations, failed)
    else setImmediate(failed)
  }
  const turn = (to: boolean) =>
    Effect.sync(() => {
      fails = to
    })
  return { wrap, faults: { begin: turn(true), end: turn(false) } }
}

const fromLayer = (layer: Layer.Layer<Journal, unknown>): StorePlace => {
  const { faults, wrap } = failing()
  const open = Effect.map(Layer.build(Layer.fresh(layer)), Context.get(Journal))
  return { open: Effect.provideService(open, CommitSeam, wrap), faults }
}

export const level: Subject = {
  make: Effect.map(folder, (dir) => fromLayer(JournalLevel.layer({ dir: join(dir, "data") }))),
  supports: { durable: true, shared: false }
}

export const memory: Subject = {
  make: Effect.sync(() => fromLayer(JournalMemory.layer)),
  supports: { durable: false, shared: false }
}

/** Memory that outlives a close as a disk does, and that one opening holds at a time. */
export const memoryDisk: Subject = {
  make: Effect.map(JournalTasks, (tasks) => {
    const medium = memoryMedium(tasks)
    const { faults, wrap } = failing()
    let held = false
    const hold = Effect.acquireRelease(
      Effect.suspend(() => {
        if (held) return new StoreLocked({ dir: medium.name })
        held = true
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          held = false
        })
    )
    const open = Effect.map(openStore(medium), (store): StoreShape => ({ ...store, supports: memoryDisk.supports }))
    return { open: Effect.andThen(hold, Effect.provideService(open, CommitSeam, wrap)), faults }
  }),
  supports: { durable: true, shared: false }
}

/** One store in memory, seen by all who open it: as several processes are over one database. */
export const sharedMemory: Subject = {
  make: Effect.map(Effect.map(Layer.build(Layer.fresh(JournalMemory.layer)), Context.get(Journal)), (store) => ({
    open: Effect.succeed({ ...store, supports: sharedMemory.supports })
  })),
  supports: { durable: true, shared: true }
}
