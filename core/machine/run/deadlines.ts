/**
 * Deadlines of the inputs in flight: a persistent leftist heap. A closed input leaves its entry behind; whoever closes
 * one drops what is stale from the top, so the top is always a deadline that stands.
 */
import type { InputId, Millis } from "../../../sdk/ids.ts"

/** The heap; undefined is empty. */
export type Deadlines = Heap | undefined

interface Heap {
  readonly deadline: Millis
  readonly input: InputId
  readonly rank: number
  readonly left: Deadlines
  readonly right: Deadlines
}

/** Adds a deadline of an input. An input may have several; the caller says which stands. */
export const insert = (self: Deadlines, deadline: Millis, input: InputId): Deadlines =>
  merge({ deadline, input, rank: 1, left: undefined, right: undefined }, self)

/** Drops entries from the top until one stands. */
export const dropStale = (self: Deadlines, stands: (input: InputId, deadline: Millis) => boolean): Deadlines => {
  let top = self
  while (top !== undefined && !stands(top.input, top.deadline)) top = merge(top.left, top.right)
  return top
}

/** Earlier first; of equal ones the smaller input id, so that a rebuilt heap gives the same order. */
const before = (a: Heap, b: Heap): boolean =>
  a.deadline < b.deadline || (a.deadline === b.deadline && a.input <= b.input)

// Recursion goes down right spines only, which are logarithmic.
const merge = (a: Deadlines, b: Deadlines): Deadlines => {
  if (a === undefined) return b
  if (b === undefined) return a
  if (!before(a, b)) return merge(b, a)
  const right = merge(a.right, b)
  const left = a.left
  return (left?.rank ?? 0) >= (right?.rank ?? 0)
    ? { ...a, left, right, rank: (right?.rank ?? 0) + 1 }
    : { ...a, left: right, right: left, rank: (left?.rank ?? 0) + 1 }
}
