/**
 * The pure half of the wire: bytes to lines, lines to JSON-RPC 2.0 messages, and back.
 *
 * One document a line, in UTF-8, ended by a line feed. A document is one message: batches are not spoken here. Nothing
 * in this file throws; what is wrong with the other side's bytes comes back as a sentence.
 */
import { isArray, isObject, type Json } from "../json.ts"
import { DEPTH_LIMIT, DOCUMENT_LIMIT } from "./budget.ts"

const LINE_FEED = 10
const FIRST_CAPACITY = 1024
const empty = new Uint8Array(0)

/** What one chunk of bytes gave: documents in order, and what is wrong with the rest, if anything is. */
export interface Decoded {
  readonly documents: ReadonlyArray<string>
  /** A sentence about the first thing that is wrong. Nothing is decoded after it, ever. */
  readonly violation: string | undefined
}

/**
 * Splits a stream of bytes into documents. However the bytes are cut into chunks, the documents are the same. It
 * copies the beginning of an unfinished document into one buffer that grows up to the limit and never beyond.
 */
export class LineDecoder {
  readonly #limit: number
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  #buffer: Uint8Array = empty
  #length = 0
  #broken = false

  constructor(limit: number = DOCUMENT_LIMIT) {
    this.#limit = limit
  }

  /** Bytes of memory kept for an unfinished document. */
  get held(): number {
    return this.#buffer.length
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): Decoded {
    const documents: Array<string> = []
    let from = 0
    while (!this.#broken) {
      const at = chunk.indexOf(LINE_FEED, from)
      const end = at < 0 ? chunk.length : at
      if (this.#length + end - from > this.#limit) {
        return this.#violation(documents, `a document is longer than ${this.#limit} bytes`)
      }
      if (at < 0) {
        this.#keep(chunk.subarray(from))
        break
      }
      let bytes = chunk.subarray(from, at)
      if (this.#length > 0) {
        this.#keep(bytes)
        bytes = this.#buffer.subarray(0, this.#length)
      }
      try {
        documents.push(this.#text.decode(bytes))
      } catch {
        return this.#violation(documents, "a document is not UTF-8")
      }
      this.#buffer = empty
      this.#length = 0
      from = at + 1
    }
    return { documents, violation: undefined }
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const needed = this.#length + bytes.length
    if (needed > this.#buffer.length) {
      const capacity = Math.min(
        Math.max(needed, this.#buffer.length * 2, FIRST_CAPACITY),
        Math.max(this.#limit, needed)
      )
      const grown = new Uint8Array(capacity)
      grown.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = needed
  }

  #violation(documents: ReadonlyArray<string>, violation: string): Decoded {
    this.#broken = true
    this.#buffer = empty
    this.#length = 0
    return { documents, violation }
  }
}

/** Id of a request, chosen by whoever sends it. */
export type RequestId = number | string

/** One message of JSON-RPC 2.0, or what is wrong with it. */
export type Message =
  | { readonly kind: "request"; readonly id: RequestId; readonly method: string; readonly params: Json }
  | { readonly kind: "notification"; readonly method: string; readonly params: Json }
  | { readonly kind: "result"; readonly id: RequestId; readonly result: Json }
  /** `id` is null if the other side could not tell which request it answers. */
  | { readonly kind: "error"; readonly id: RequestId | null; readonly error: ErrorObject }
  | { readonly kind: "invalid"; readonly reason: string }

/** The `error` member of an answer. */
export interface ErrorObject {
  readonly code: number
  readonly message: string
  readonly data?: Json
}

const invalid = (reason: string): Message => ({ kind: "invalid", reason })

const isId = (id: Json | undefined): id is RequestId => typeof id === "string" || Number.isSafeInteger(id)

const tooDeep = (value: Json, room: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (room === 0) return true
  if (isArray(value)) return value.some((item) => tooDeep(item, room - 1))
  for (const key in value) {
    if (tooDeep(value[key] ?? null, room - 1)) return true
  }
  return false
}

/** Reads one document. Absent `params` read as an empty object; members that JSON-RPC does not name are ignored. */
export const parse = (document: string): Message => {
  let value: Json
  try {
    // What JSON.parse gives is JSON by construction.
    value = JSON.parse(document) as Json
  } catch {
    return invalid(`a document is not JSON: ${excerpt(document)}`)
  }
  if (!isObject(value)) return invalid(`a document is not a JSON object: ${excerpt(document)}`)
  if (value["jsonrpc"] !== "2.0") return invalid(`a document lacks "jsonrpc": "2.0": ${excerpt(document)}`)
  if (tooDeep(value, DEPTH_LIMIT)) return invalid(`a document is nested deeper than ${DEPTH_LIMIT} levels`)
  const { id, method } = value
  if (typeof method === "string") {
    const params = value["params"] ?? {}
    if (!("id" in value)) return { kind: "notification", method, params }
    return isId(id) ? { kind: "request", id, method, params } : invalid(`the id of a request is no text or integer`)
  }
  if (method !== undefined) return invalid("the method of a request is not a text")
  const error = value["error"]
  if (error === undefined) {
    if (!("result" in value) || !isId(id)) {
      return invalid(`a document is neither request nor answer: ${excerpt(document)}`)
    }
    return { kind: "result", id, result: value["result"] ?? null }
  }
  if ("result" in value && value["result"] !== null) return invalid("an answer has both result and error")
  if (!(isId(id) || id === null) || !isObject(error)) return invalid("an error answer lacks its id or its error object")
  const { code, data, message } = error
  if (typeof code !== "number" || !Number.isSafeInteger(code) || typeof message !== "string") {
    return invalid("an error answer lacks an integer code or a message")
  }
  return { kind: "error", id, error: data === undefined ? { code, message } : { code, message, data } }
}

const excerpt = (document: string): string =>
  document.length <= 80 ? JSON.stringify(document) : `${JSON.stringify(document.slice(0, 80))}...`

const encoder = new TextEncoder()

const line = (document: object): Uint8Array => encoder.encode(`${JSON.stringify(document)}\n`)

/** Bytes of a request, or of a notification if `id` is undefined, with the line feed. */
export const encodeRequest = (id: RequestId | undefined, method: string, params: Json): Uint8Array =>
  line(id === undefined ? { jsonrpc: "2.0", method, params } : { jsonrpc: "2.0", id, method, params })

/** Bytes of a successful answer, with the line feed. */
export const encodeResult = (id: RequestId, result: Json): Uint8Array => line({ jsonrpc: "2.0", id, result })

/** Bytes of a failed answer, with the line feed. */
export const encodeError = (id: RequestId, error: ErrorObject): Uint8Array => line({ jsonrpc: "2.0", id, error })
