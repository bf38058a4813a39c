import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { hasPython, makes, startSeat } from "./seat.ts"

let root = ""
beforeAll(() => {
  root = mkdtempSync(`${tmpdir()}/audit-seats-`)
  writeFileSync(`${root}/a.ts`, "const f = () => {\n}\n")
})
afterAll(() => rmSync(root, { recursive: true }))

const item = () => JSON.stringify({ root: escapeBytes(Buffer.from(root)), path: "a.ts" })

describe.each(Object.keys(makes).filter((make) => make !== "python" || hasPython))(
  "the %s auditor as a member",
  (make) => {
    const member = { mob: "m", identity: "a", role: "auditor", generation: 1, fence: 7, labels: {} }

    it("shakes hands, takes an item once, keeps its outcome until it is settled", async () => {
      const seat = startSeat(make)
      const deliver = (id: number, fence: number) =>
        seat.send({ id, method: "deliver", params: { inputId: "i", fence, content: item(), memos: {} } })
      seat.send({ id: 1, method: "initialize", params: { protocol: [2, 1], member } })
      deliver(2, 7)
      deliver(3, 8)
      seat.send({ id: 4, method: "observe", params: {} })
      seat.send({ method: "settled", params: { inputId: "i" } })
      seat.send({ id: 5, method: "observe", params: {} })
      deliver(6, 8)
      const [hello, accepted, ended, again, endedAgain, observed, settled, fresh] = await seat.until(9)
      expect(hello).toMatchObject({
        jsonrpc: "2.0",
        id: 1,
        result: { protocol: 1, capabilities: { outcomes: "memory" } }
      })
      expect(accepted).toMatchObject({ id: 2, result: { outcome: "accepted" } })
      expect(ended).toMatchObject({
        method: "turn/ended",
        params: { inputId: "i", fence: 7, status: "completed", structured: { functions: 1 } }
      })
      expect(again).toMatchObject({ id: 3, result: { outcome: "deduplicated" } })
      expect(endedAgain).toMatchObject({
        method: "turn/ended",
        params: { inputId: "i", fence: 8, structured: { functions: 1 } }
      })
      expect(observed).toMatchObject({
        id: 4,
        result: { inputs: [{ inputId: "i", state: "ended", outcome: { status: "completed" } }] }
      })
      expect(settled).toMatchObject({ id: 5, result: { inputs: [] } })
      expect(fresh).toMatchObject({ id: 6, result: { outcome: "accepted" } })
      seat.send({ id: 7, method: "shutdown", params: {} })
      expect(await seat.ended).toBe(0)
    })

    it("refuses another protocol, says what it does not know, fails an item that is none, and goes on", async () => {
      const seat = startSeat(make)
      seat.send({ id: 1, method: "initialize", params: { protocol: [2], member } })
      seat.send({ id: "two", method: "nonsense", params: {} })
      seat.send({ method: "nonsense/too", params: {} })
      for (const [id, content] of ["no JSON", "[1]", "{\"root\": 1, \"path\": \"x\"}", "null"].entries()) {
        seat.send({ id, method: "deliver", params: { inputId: `i${id}`, fence: 1, content, memos: {} } })
      }
      seat.send({
        id: 9,
        method: "deliver",
        params: { inputId: "i9", fence: 1, content: [{ type: "text", text: item() }, { type: "image" }], memos: {} }
      })
      const messages = await seat.until(12)
      expect(messages[0]).toMatchObject({ id: 1, error: { code: -32000 } })
      expect(messages[1]).toMatchObject({ id: "two", error: { code: -32601 } })
      const ended = messages.filter((message) => message["method"] === "turn/ended")
      expect(ended.map((message) => (message["params"] as { status: string }).status)).toEqual([
        "failed",
        "failed",
        "failed",
        "failed",
        "completed"
      ])
      expect(ended[0]).toMatchObject({ params: { code: "bad_item" } })
      for (const [id, method] of ["interrupt", "cancel", "wire", "unwire", "retire"].entries()) {
        seat.send({
          id,
          method,
          params: { inputId: "i9", peer: "b" }
        })
      }
      expect((await seat.until(17)).slice(12).map((message) => message["result"])).toEqual([
        null,
        null,
        null,
        null,
        null
      ])
      seat.child.stdin?.end()
      expect(await seat.ended).toBe(0)
    })

    it("ends when its stdin closes, also in the middle of a line", async () => {
      const seat = startSeat(make)
      seat.child.stdin?.end("{\"jsonrpc\": ")
      expect(await seat.ended).toBe(0)
    })
  }
)
