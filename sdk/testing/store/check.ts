/**
 * What a clause is held to. Without an assertion library: the kit runs under any runner, or none.
 */
import { Data, Effect } from "effect"
import type { StoreError } from "../../store.ts"

/** What a clause says does not hold. */
class NotHeld extends Data.TaggedError("NotHeld")<{ readonly message: string }> {}

/** Fails with what is wrong, unless it holds. */
export const holds = (it: boolean, otherwise: string): Effect.Effect<void, NotHeld> =>
  it ? Effect.void : Effect.fail(new NotHeld({ message: otherwise }))

/** Fails with both, unless they are deeply equal. */
export const same = (found: unknown, wanted: unknown, what: string): Effect.Effect<void, NotHeld> =>
  equal(found, wanted) ? Effect.void : holds(false, `${what}: found ${shown(found)}, should be ${shown(wanted)}`)

/** The failure of a call that must be refused with this error. */
export const refusal = <A, Tag extends StoreError["_tag"]>(
  call: Effect.Effect<A, StoreError>,
  tag: Tag,
  what: string
): Effect.Effect<Extract<StoreError, { readonly _tag: Tag }>, NotHeld> =>
  Effect.matchEffect(call, {
    onSuccess: (value) =>
      Effect.fail(new NotHeld({ message: `${what}: answered ${shown(value)}, should be refused with ${tag}` })),
    onFailure: (error) =>
      isOf(error, tag)
        ? Effect.succeed(error)
        : Effect.fail(new NotHeld({ message: `${what}: failed with ${shown(error)}, should be ${tag}` }))
  })

const isOf = <Tag extends StoreError["_tag"]>(
  error: StoreError,
  tag: Tag
): error is Extract<StoreError, { readonly _tag: Tag }> => error._tag === tag

/** Waits until it holds; the time limit of the clause ends it. */
export const until = (it: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => it() ? Effect.void : Effect.delay(until(it), 1))

/** Deep equality of data: JSON, undefined, and bytes. */
const equal = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((it, at) => it === b[at])
  }
  if (Array.isArray(a) !== Array.isArray(b) || b instanceof Uint8Array) return false
  const members = new Map(Object.entries(a))
  const others = Object.entries(b)
  return members.size === others.length
    && others.every(([key, value]) => members.has(key) && equal(members.get(key), value))
}

/** A value for a message, not longer than people read. */
const shown = (value: unknown): string => {
  const text = value instanceof Error ? `${value.name}: ${value.message}` : JSON.stringify(value) ?? String(value)
  return text.length > 400 ? `${text.slice(0, 400)} ...` : text
}
