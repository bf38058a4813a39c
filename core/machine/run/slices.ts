/**
 * A persistent array: an update copies one slice and the spine, never the whole. A run of 5,000 nodes or a step of
 * 10,000 items changes one place per outcome, so the cost of an outcome must not grow with their number.
 */

/** 64 keeps both copies of an update (slice and spine) small up to some ten thousand places. */
const WIDTH = 64
const SHIFT = 6

/** An immutable array of `length` places. */
export interface Slices<A> {
  readonly length: number
  readonly slices: ReadonlyArray<ReadonlyArray<A>>
}

/** The same items. */
export const fromArray = <A>(items: ReadonlyArray<A>): Slices<A> => {
  const slices: Array<ReadonlyArray<A>> = []
  for (let start = 0; start < items.length; start += WIDTH) slices.push(items.slice(start, start + WIDTH))
  return { length: items.length, slices }
}

/** `length` places that all hold `item`; the slices are shared until they are written. */
export const repeat = <A>(item: A, length: number): Slices<A> => {
  const filled = (width: number): ReadonlyArray<A> => Array.from({ length: width }, () => item)
  // Most steps have one target: a full slice is made only where there is one.
  const full = length < WIDTH ? [] : filled(WIDTH)
  const slices = Array.from({ length: Math.floor(length / WIDTH) }, () => full)
  if (length % WIDTH > 0) slices.push(filled(length % WIDTH))
  return { length, slices }
}

/** The item in a place. A place out of range is a defect of the caller. */
export const at = <A>(self: Slices<A>, index: number): A => {
  if (index < 0 || index >= self.length) throw new RangeError(`place ${index} of ${self.length}`)
  // The range was just checked, and `A` itself may allow undefined.
  return self.slices[index >> SHIFT]![index & (WIDTH - 1)] as A
}

/** With another item in one place. A place out of range is a defect of the caller. */
export const set = <A>(self: Slices<A>, index: number, item: A): Slices<A> => {
  if (index < 0 || index >= self.length) throw new RangeError(`place ${index} of ${self.length}`)
  const slice = self.slices[index >> SHIFT]!.slice()
  slice[index & (WIDTH - 1)] = item
  const slices = self.slices.slice()
  slices[index >> SHIFT] = slice
  return { length: self.length, slices }
}

/** With one more item at the end. */
export const push = <A>(self: Slices<A>, item: A): Slices<A> => {
  const slices = self.slices.slice()
  const last = self.length >> SHIFT
  slices[last] = [...(slices[last] ?? []), item]
  return { length: self.length + 1, slices }
}

/** All items, copied. */
export const toArray = <A>(self: Slices<A>): ReadonlyArray<A> => {
  const all: Array<A> = []
  for (const slice of self.slices) for (const item of slice) all.push(item)
  return all
}
