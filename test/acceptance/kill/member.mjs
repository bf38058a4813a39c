// A member that puts every execution on record. Its answers depend on its input alone. No dependencies.
//
// From its first input on it does not hear that its host is gone: it goes on with its work, and with saying so on
// record, until somebody kills it. So a successor that was started too early is seen in the order of the record.
import { appendFileSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"

/** Milliseconds between two signs of a member without a host, and until it ends by itself all the same. */
const SIGN = 5
const PATIENCE = 30_000

let identity
const note = (what, more = {}) =>
  appendFileSync(process.env.MOB_TEST_RECORD, `${JSON.stringify({ pid: process.pid, identity, what, ...more })}\n`)
note("born")

const say = (message) => {
  try {
    writeSync(1, `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  } catch {
    // The host is gone.
  }
}

/** What a turn gives, and how many milliseconds it takes. */
const work = (content) => {
  const [verb, ...words] = content.split(" ")
  const millis = 10 + (content.length * 7) % 21
  if (verb !== "list") return { output: `${verb} of ${words.join(" ")}`, millis }
  return { structured: Array.from({ length: Number(words[0]) }, (_, index) => `part ${index}`), millis }
}

/** Outcomes by input; undefined while it runs. */
const known = new Map()

const deliver = (id, { content, fence, inputId }) => {
  const before = known.get(inputId)
  say({ id, result: { outcome: known.has(inputId) ? "deduplicated" : "accepted" } })
  if (before !== undefined) return say({ method: "turn/ended", params: { inputId, fence, ...before } })
  if (known.has(inputId)) return
  known.set(inputId, undefined)
  const { millis, ...result } = work(content)
  setTimeout(() => {
    note("executed", { input: inputId, fence })
    const outcome = { status: "completed", ...result }
    known.set(inputId, outcome)
    say({ method: "turn/ended", params: { inputId, fence, ...outcome } })
  }, millis)
}

let delivered = false
const lines = createInterface({ input: process.stdin })
lines.on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  switch (method) {
    case "initialize":
      identity = params.member.identity
      note("started", { fence: params.member.fence })
      return say({ id, result: { protocol: 1, capabilities: { outcomes: "memory" } } })
    case "deliver":
      delivered = true
      return deliver(id, params)
    case "settled":
      return known.delete(params.inputId)
    case "shutdown":
      say({ id, result: null })
      return process.exit(0)
    default:
      if (id !== undefined) say({ id, error: { code: -32601, message: "method not found" } })
  }
})
lines.on("close", () => {
  if (!delivered) process.exit(0)
  setInterval(() => note("lives on"), SIGN)
  setTimeout(() => process.exit(1), PATIENCE)
})
