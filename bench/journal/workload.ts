/**
 * The workload of the append rows, the same for the journal and for what it is compared with: writers that each submit
 * their next payload when the one before is committed. A payload is JSON text of a given length, of characters that
 * hardly compress, made before anything is measured.
 */
import { randomBytes } from "node:crypto"
import type { JsonObject } from "../../sdk/json.ts"

/** Submits one payload of a writer; `done` when it is durable. */
export type Append = (writer: number, done: () => void, failed: (error: unknown) => void) => void

/** What appends. */
export interface Appender {
  readonly name: string
  readonly append: Append
  /** Commits so far, each of which must be one flush. */
  readonly commits: () => number
}

/** What is appended: a fact, and its JSON text. */
export interface Payload {
  readonly fact: JsonObject
  readonly text: string
}

/** Different payloads, so that what compresses finds little that repeats. */
const DIFFERENT = 512

/** Payloads whose JSON text has `bytes` characters of one byte; taken in turn. */
export const payloadsOf = (bytes: number): () => Payload => {
  const fact = (text: string) => ({ type: "bench", text })
  const length = bytes - JSON.stringify(fact("")).length
  const payloads = Array.from({ length: DIFFERENT }, () => {
    const it = fact(randomBytes(length).toString("base64url").slice(0, length))
    return { fact: it, text: JSON.stringify(it) }
  })
  let next = 0
  return () => payloads[next++ % DIFFERENT]!
}

/** Lets each writer append `each` times, the next one when the one before is durable. */
export const closedLoop = (append: Append, writers: number, each: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let writing = writers
    for (let writer = 0; writer < writers; writer++) {
      let left = each
      const next = () => {
        if (left-- > 0) append(writer, next, reject)
        else if (--writing === 0) resolve()
      }
      next()
    }
  })
