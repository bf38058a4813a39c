/**
 * Repeated blocks of code, from the fingerprints of windows. Windows with equal fingerprints at the same distance from
 * each other are one block, as long as it goes; a block that stands in three places is one finding, not three pairs.
 * A pure function.
 */
import { compareBytes } from "./bytes.ts"
import type { Measured } from "./measure.ts"

/** Significant lines a window spans, as in MEASURES.md. */
const WINDOW = 10
/** Fewest significant lines of a block that is told. Eleven fingerprints in a row, so that chance plays no part. */
export const SHORTEST_BLOCK = 20

/** Where a block stands: first and last line. */
export interface Place {
  readonly path: string
  readonly line: number
  readonly last: number
}

/** A block of `lines` significant lines that stands in two or more places, none of which overlap. */
interface Duplicate {
  readonly lines: number
  readonly places: ReadonlyArray<Place>
}

/** The windows of all files in one row. A window number is a place in it; `hash[w]` is -1 between two files. */
interface Windows {
  readonly hash: Float64Array
  readonly file: (window: number) => number
  readonly first: ReadonlyArray<number>
}

const windowsOf = (files: ReadonlyArray<Measured>): Windows => {
  const first: Array<number> = []
  let total = 0
  for (const file of files) {
    first.push(total)
    total += file.blocks.length / 8 + 1
  }
  const hash = new Float64Array(total).fill(-1)
  files.forEach((file, index) => {
    const start = first[index] ?? 0
    for (let at = 0; at * 8 < file.blocks.length; at++) {
      hash[start + at] = parseInt(file.blocks.slice(at * 8, at * 8 + 8), 16)
    }
  })
  const file = (window: number) => {
    let low = 0
    let high = first.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((first[middle] ?? 0) <= window) low = middle
      else high = middle - 1
    }
    return low
  }
  return { hash, file, first }
}

/** Windows of each fingerprint that occurs more than once, rising. */
const classesOf = (hash: Float64Array): Map<number, Array<number>> => {
  const seen = new Map<number, number>()
  const classes = new Map<number, Array<number>>()
  hash.forEach((value, window) => {
    if (value < 0) return
    const before = seen.get(value)
    if (before === undefined) seen.set(value, window)
    else {
      const members = classes.get(value)
      if (members === undefined) classes.set(value, [before, window])
      else members.push(window)
    }
  })
  return classes
}

/** Line number of the `index`-th significant line. */
const lineOf = (file: Measured, index: number): number => {
  let rest = index
  for (const [line, length] of file.runs) {
    if (rest < length) return line + rest
    rest -= length
  }
  return 0
}

/** All repeated blocks of {@link SHORTEST_BLOCK} lines or more: largest first, then by their first place. */
export const duplicatesOf = (files: ReadonlyArray<Measured>): ReadonlyArray<Duplicate> => {
  const { hash, file, first } = windowsOf(files)
  const classes = classesOf(hash)
  const found: Array<Duplicate> = []
  /** By distances between the members: where the last block found of that shape ends, in windows of its first member. */
  const covered = new Map<string, number>()
  for (let window = 0; window < hash.length; window++) {
    const members = classes.get(hash[window] ?? -1)
    if (members === undefined || members[0] !== window) continue
    const shape = members.map((member) => member - window).join()
    if (window < (covered.get(shape) ?? 0)) continue
    const equalAt = (shift: number) => {
      const value = hash[window + shift]
      return value !== undefined && value >= 0 && members.every((member) => hash[member + shift] === value)
    }
    let before = 0
    while (equalAt(before - 1)) before--
    let after = 1
    while (equalAt(after)) after++
    covered.set(shape, window + after)
    const lines = after - before + WINDOW - 1
    if (lines < SHORTEST_BLOCK) continue
    const places: Array<Place> = []
    let free = { file: -1, index: 0 }
    for (const member of members) {
      const number = file(member)
      const measured = files[number]
      const index = member + before - (first[number] ?? 0)
      if (measured === undefined || (free.file === number && index < free.index)) continue
      free = { file: number, index: index + lines }
      places.push({ path: measured.path, line: lineOf(measured, index), last: lineOf(measured, index + lines - 1) })
    }
    if (places.length > 1) found.push({ lines, places })
  }
  const start = (it: Duplicate) => it.places[0] ?? { path: "", line: 0 }
  return found.sort((a, b) =>
    b.lines * (b.places.length - 1) - a.lines * (a.places.length - 1)
    || compareBytes(start(a).path, start(b).path) || start(a).line - start(b).line || b.lines - a.lines
  )
}
