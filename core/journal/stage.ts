/**
 * Submissions as text: entries at once, so that their writer may change what it gave and their length is known; heads
 * and pins when the guard held, before anything is changed.
 */
import {
  type Entry,
  type HeadOnly,
  RevisionConflict,
  type StoreError,
  StoreWriteFailed,
  type Submission
} from "../../sdk/store.ts"
import { readFailure, reasonOf } from "./attempt.ts"
import { entryLine } from "./block.ts"
import { isDigest, type Key, pinKey } from "./keys.ts"
import type { AggregateState } from "./mob-state.ts"
import { seal } from "./seal.ts"

/** A submission whose guards held, as text. */
export class Staged {
  readonly entries: Array<
    { readonly entry: Entry; readonly state: AggregateState | undefined; line: string; head: string | undefined }
  > = []
  readonly heads: Array<{ readonly head: HeadOnly; text: string }> = []
  readonly pins: Array<{ readonly key: Key; readonly value: string }> = []

  // Submissions hold one entry, rarely two: looking through them is cheaper than a map.
  revisionOf(aggregate: string): number | undefined {
    return this.entries.findLast((item) => item.entry.aggregate === aggregate)?.entry.revision
  }

  stateOf(aggregate: string): AggregateState | undefined {
    return this.entries.find((item) => item.entry.aggregate === aggregate)?.state
  }
}

/** Entries of a submission as text, or why there is none. */
export type Lines = ReadonlyArray<string> | StoreWriteFailed

/** Makes the text of all entries. */
export const linesOf = ({ entries }: Submission, epoch: number): Lines => {
  try {
    const lines: Array<string> = []
    for (const entry of entries) {
      checkJson(entry)
      lines.push(entryLine(entry, epoch))
    }
    return lines
  } catch (error) {
    return unwritable(error)
  }
}

/** Length of them all. */
export const lengthOf = (lines: Lines): number => {
  if (lines instanceof StoreWriteFailed) return 0
  let length = 0
  for (const line of lines) length += line.length
  return length
}

/** Checks guards and makes the rest of the text, without changing anything. `find` may throw. */
export const stage = (
  submission: Submission,
  lines: Lines,
  find: (aggregate: string) => AggregateState | undefined
): Staged | StoreError => {
  const staged = new Staged()
  try {
    for (const entry of submission.entries) {
      if (!entry.aggregate.isWellFormed()) return nameless(entry.aggregate)
      const state = staged.stateOf(entry.aggregate) ?? find(entry.aggregate)
      const actual = staged.revisionOf(entry.aggregate) ?? state?.revision ?? 0
      if (entry.revision !== actual + 1) return conflict(entry.aggregate, entry.revision - 1, actual)
      staged.entries.push({ entry, state, line: "", head: undefined })
    }
    for (const head of submission.heads ?? []) {
      if (!head.aggregate.isWellFormed()) return nameless(head.aggregate)
      const state = staged.stateOf(head.aggregate) ?? find(head.aggregate)
      const actual = staged.revisionOf(head.aggregate) ?? state?.revision ?? 0
      if (head.revision !== actual || actual === 0) return conflict(head.aggregate, head.revision, actual)
      staged.heads.push({ head, text: "" })
    }
  } catch (error) {
    return readFailure(error)
  }
  if (lines instanceof StoreWriteFailed) return lines
  try {
    let index = 0
    for (const item of staged.entries) {
      item.line = lines[index++] ?? ""
      if (wantsHead(item.state, item.entry, item.line.length)) item.head = textOf(item.entry)
    }
    for (const item of staged.heads) item.text = textOf(item.head)
    for (const { definition, digest } of submission.pins ?? []) {
      if (!isDigest(digest)) throw new TypeError(`${JSON.stringify(digest)} is no digest`)
      const key = pinKey(digest)
      staged.pins.push({ key, value: seal(key, {}, JSON.stringify(definition)) })
    }
  } catch (error) {
    return unwritable(error)
  }
  return staged
}

const unwritable = (error: unknown): StoreWriteFailed =>
  new StoreWriteFailed({ outcome: "not_written", reason: `it cannot be written as JSON: ${reasonOf(error)}` })

/**
 * A head is not written before this much followed the last one, however small it is. Measured with 64 writers: when
 * each small state is written again with almost each entry, appends run at half the pace.
 */
const headFloor = 16 * 1024

// At creation, at the end, after it, and when what followed the head outweighs it.
const wantsHead = (state: AggregateState | undefined, entry: Entry, length: number): boolean =>
  entry.revision === 1 || entry.terminal || state === undefined || state.terminal
  || state.sinceLength + length > Math.max(state.headLength, headFloor)

// What is written around them is not made by `JSON.stringify`.
const checkJson = ({ at, events, facts }: Entry): void => {
  if (!Number.isFinite(at)) throw new TypeError("its time is no number")
  if (!Array.isArray(facts) || !Array.isArray(events)) throw new TypeError("its facts and events are no lists")
}

const textOf = (source: { readonly snapshot: () => unknown }): string => {
  const text: string | undefined = JSON.stringify(source.snapshot())
  if (text === undefined) throw new TypeError("the snapshot is no JSON value")
  return text
}

/** Keys are UTF-8, in which all halves of surrogate pairs are the same: two names would be one on disk. */
export const nameless = (name: string): StoreWriteFailed =>
  new StoreWriteFailed({ outcome: "not_written", reason: `the name ${JSON.stringify(name)} is no well-formed Unicode` })

const conflict = (aggregate: string, expected: number, actual: number) =>
  new RevisionConflict({ aggregate, expected, actual })
