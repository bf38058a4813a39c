import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { subprocessBridge } from "mobwright/plugins/subprocess"
import { type BridgeEvent, Identity, InputId, MobId } from "mobwright/sdk"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { chaotic } from "../../../examples/repo-audit/chaos.ts"
import { example, hasPython, makes } from "./seat.ts"

let root = ""
beforeAll(() => {
  root = mkdtempSync(`${tmpdir()}/audit-bridge-`)
  writeFileSync(`${root}/a.ts`, "// TODO\n")
})
afterAll(() => rmSync(root, { recursive: true }))

const killGroup = (pgid: number) => process.kill(-pgid, "SIGKILL")

describe.each(Object.keys(makes).filter((make) => make !== "python" || hasPython))(
  "the %s seat behind a real bridge",
  (make) => {
    it.live("answers until chaos kills it, and the outcome of a doomed input never gets through", () =>
      Effect.scoped(Effect.gen(function*() {
        const [program, script] = makes[make] ?? ["", ""]
        const events: Array<BridgeEvent> = []
        let wake = () => {}
        const bridge = chaotic(subprocessBridge(), { seed: 1, kill: killGroup })
        const connection = yield* bridge.bind({
          mob: MobId.make("m"),
          identity: Identity.make(make),
          role: "auditor",
          generation: 1,
          fence: 1,
          labels: {},
          config: { command: [program, script] },
          base: example
        }, (event) => {
          events.push(event)
          wake()
        })
        expect(connection.outcomes).toBe("memory")
        const content = JSON.stringify({ root: escapeBytes(Buffer.from(root)), path: "a.ts" })
        const heard = (count: number) =>
          Effect.callback<void>((resume) => {
            wake = () => events.length >= count && resume(Effect.void)
            wake()
          })
        let last = 0
        while (!events.some((event) => event.type === "exited")) {
          yield* connection.deliver({
            input: InputId.make(`i${last++}`),
            fence: 1,
            content,
            deadline: undefined,
            overlay: undefined,
            memos: {}
          })
          yield* heard(last)
        }
        expect(events.at(-1)).toMatchObject({ type: "exited", exit: { code: "member_exited" } })
        const answered = events.slice(0, -1)
        expect(answered.map((event) => event.type === "turn_ended" && event.input)).toEqual(
          Array.from({ length: last - 1 }, (_, index) => `i${index}`)
        )
        for (const event of answered) {
          expect(event).toMatchObject({ outcome: { status: "completed", structured: { todos: 1 } } })
        }
      })))
  }
)
