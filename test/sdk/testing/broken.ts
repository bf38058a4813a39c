/**
 * Stores that break one clause each: how one stands in front of a sound store.
 */
import { Effect } from "effect"
import type { MobLog, MobReads, StoreListener, StoreShape, Submission } from "../../../sdk/index.ts"
import type { StorePlace } from "../../../sdk/testing/index.ts"

/** A store that breaks one clause. */
export interface Breakage {
  /** The clause, by number. */
  readonly clause: number
  /** What it does wrong. */
  readonly how: string
  readonly breaks: (place: StorePlace) => StorePlace
}

/** Changes each opening of a store; `opening` counts from 1. */
export const onStore =
  (change: (store: StoreShape, opening: number) => Partial<StoreShape>) => (place: StorePlace): StorePlace => {
    let opening = 0
    return { ...place, open: Effect.map(place.open, (store) => ({ ...store, ...change(store, ++opening) })) }
  }

/** Changes each log of a store. */
export const onLog = (change: (log: MobLog, store: StoreShape, opening: number) => Partial<MobLog>) =>
  onStore((store, opening) => ({
    acquire: (mob) => Effect.map(store.acquire(mob), (log) => ({ ...log, ...change(log, store, opening) }))
  }))

/** Changes each submission on its way to the store. */
export const onSubmit = (change: (submission: Submission, log: MobLog) => Submission) =>
  onLog((log) => ({ submit: (submission) => log.submit(change(submission, log)) }))

/** Changes each listener. */
export const onListen = (change: (listener: StoreListener, log: MobLog) => StoreListener) =>
  onLog((log) => ({ listen: (listener) => log.listen({ ...listener, ...change(listener, log) }) }))

/** Changes the reads of a log and of a look at one. */
export const onInspect = (change: (look: MobReads, store: StoreShape) => Partial<MobReads>) =>
  onStore((store) => ({
    inspect: (mob) => Effect.map(store.inspect(mob), (look) => look && { ...look, ...change(look, store) })
  }))

/** The effect, with a word to the one who breaks the store when it is done. */
export const noting = <A, E>(effect: Effect.Effect<A, E>, note: (value: A) => void): Effect.Effect<A, E> =>
  Effect.map(effect, (value) => {
    note(value)
    return value
  })
