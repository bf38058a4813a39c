import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  ByteBudget,
  encodeError,
  encodeRequest,
  encodeResult,
  LineDecoder,
  parse
} from "../../../sdk/protocol/index.ts"

const encoder = new TextEncoder()
const bytesOf = (text: string) => encoder.encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const scale = process.env["MOB_EFFORT"] === "soak" ? 50 : 1

/** Cuts bytes at the given places, whatever their order. */
const chunks = (bytes: Uint8Array, cuts: ReadonlyArray<number>): Array<Uint8Array> => {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b)
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place))
}

describe("lines", () => {
  it("are the same documents however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.json({ stringUnit: "grapheme" }), { maxLength: 8 }),
        fc.string(),
        fc.array(fc.nat(), { maxLength: 20 }),
        (documents, tail, cuts) => {
          const rest = tail.replaceAll("\n", "")
          const decoder = new LineDecoder()
          const seen: Array<string> = []
          for (const chunk of chunks(bytesOf(documents.map((text) => `${text}\n`).join("") + rest), cuts)) {
            const { documents, violation } = decoder.push(chunk)
            expect(violation).toBeUndefined()
            seen.push(...documents)
          }
          expect(seen).toEqual(documents)
          expect(decoder.held === 0).toBe(rest === "")
        }
      ),
      { numRuns: 300 * scale }
    )
  })

  it("never hold more than the limit, and end with the first that is longer, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 140 }), { maxLength: 10 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (lengths, cuts) => {
          const limit = 100
          const decoder = new LineDecoder(limit)
          const long = lengths.findIndex((length) => length > limit)
          let seen = 0
          let violation: string | undefined
          for (const chunk of chunks(bytesOf(lengths.map((length) => `${"x".repeat(length)}\n`).join("")), cuts)) {
            const decoded = decoder.push(chunk)
            seen += decoded.documents.length
            violation ??= decoded.violation
            expect(decoder.held).toBeLessThanOrEqual(limit)
          }
          expect(seen).toBe(long < 0 ? lengths.length : long)
          expect(violation !== undefined).toBe(long >= 0)
        }
      ),
      { numRuns: 300 * scale }
    )
  })

  it("that arrive a byte at a time cost one growing buffer", () => {
    const decoder = new LineDecoder()
    for (let count = 0; count < 5000; count++) decoder.push(bytesOf("x"))
    expect(decoder.held).toBe(8192)
    expect(decoder.push(bytesOf("\n")).documents).toEqual(["x".repeat(5000)])
    expect(decoder.held).toBe(0)
  })

  it("of exactly the limit pass", () => {
    const decoder = new LineDecoder(5)
    expect(decoder.push(bytesOf("12345\n"))).toEqual({ documents: ["12345"], violation: undefined })
    expect(decoder.push(bytesOf("123456"))).toEqual({ documents: [], violation: "a document is longer than 5 bytes" })
    expect(decoder.push(bytesOf("1\n")).documents).toEqual([])
  })

  it("that are not UTF-8 are a violation, after the documents before them", () => {
    const bytes = new Uint8Array([...bytesOf("1\n"), 0xff, 10, ...bytesOf("2\n")])
    expect(new LineDecoder().push(bytes)).toEqual({ documents: ["1"], violation: "a document is not UTF-8" })
  })
})

describe("documents", () => {
  it("read back as what was written", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.string()),
        fc.string(),
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
        (id, method, params) => {
          // JSON has no -0 and no own __proto__ that survives comparison; the text is what counts.
          const json = JSON.parse(JSON.stringify(params))
          expect(parse(textOf(encodeRequest(id, method, json)))).toEqual({ kind: "request", id, method, params: json })
          expect(parse(textOf(encodeRequest(undefined, method, json)))).toEqual({
            kind: "notification",
            method,
            params: json
          })
          expect(parse(textOf(encodeResult(id, json)))).toEqual({ kind: "result", id, result: json })
          const error = { code: -1, message: method, data: json }
          expect(parse(textOf(encodeError(id, error)))).toEqual({ kind: "error", id, error })
        }
      ),
      { numRuns: 200 * scale }
    )
  })

  it("without params read as with an empty object", () => {
    expect(parse(`{"jsonrpc":"2.0","method":"m"}`)).toEqual({ kind: "notification", method: "m", params: {} })
    expect(parse(`{"jsonrpc":"2.0","id":1,"method":"m","params":null}`)).toMatchObject({ kind: "request", params: {} })
  })

  it.each([
    ["", "not JSON"],
    ["hello", "not JSON"],
    ["[]", "not a JSON object"],
    ["7", "not a JSON object"],
    [`{"id":1,"method":"m"}`, `lacks "jsonrpc"`],
    [`{"jsonrpc":"2.0"}`, "neither request nor answer"],
    [`{"jsonrpc":"2.0","id":null,"method":"m"}`, "no text or integer"],
    [`{"jsonrpc":"2.0","id":1.5,"method":"m"}`, "no text or integer"],
    [`{"jsonrpc":"2.0","id":1,"method":7}`, "not a text"],
    [`{"jsonrpc":"2.0","result":1}`, "neither request nor answer"],
    [`{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}}`, "both result and error"],
    [`{"jsonrpc":"2.0","id":1,"error":"no"}`, "lacks its id or its error object"],
    [`{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}`, "lacks an integer code"],
    [`{"jsonrpc":"2.0","method":"m","params":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, "nested deeper than 200"]
  ])("such as %.60s are refused with a reason", (document, reason) => {
    const message = parse(document)
    expect(message.kind).toBe("invalid")
    expect(message.kind === "invalid" && message.reason).toContain(reason)
  })
})

describe("a byte budget", () => {
  it("refuses what does not fit and remembers its peak", () => {
    const budget = new ByteBudget(10)
    expect(budget.take(8)).toBe(true)
    expect(budget.take(3)).toBe(false)
    budget.give(5)
    expect(budget.take(3)).toBe(true)
    expect([budget.used, budget.peak]).toEqual([6, 8])
  })
})
