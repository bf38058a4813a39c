import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { InputId, type Outcome } from "mobwright/sdk"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { Joined, lead } from "../../../examples/repo-audit/lead.ts"
import { Listing } from "../../../examples/repo-audit/tree.ts"
import { expected, plant } from "./plant.ts"
import { measureAll } from "./seat.ts"

let root = ""
beforeAll(() => {
  root = mkdtempSync(`${tmpdir()}/audit "lead"-`)
  plant(root)
})
afterAll(() => rmSync(root, { recursive: true }))

const turn = (content: string): Effect.Effect<Outcome> =>
  lead.perform({
    inputId: InputId.make("i"),
    fence: 1,
    content,
    memos: {},
    once: (_, effect) => effect,
    progress: () => Effect.void
  })

const structured = (outcome: Outcome): unknown => outcome.status === "completed" ? outcome.structured : outcome

describe("the lead", () => {
  it.effect("lists a tree and joins what both makes measured, by the messages of its definition", () =>
    Effect.gen(function*() {
      const asked = `{"task": "list", "root": "${escapeBytes(Buffer.from(root))}"}`
      const listing = yield* Schema.decodeUnknownEffect(Listing)(structured(yield* turn(asked)))
      const measures = yield* Effect.promise(() => measureAll("node", listing.root, listing.items))
      const join = (python: unknown) =>
        turn(
          `{"task": "join", "listing": ${JSON.stringify(listing)}, "node": ${JSON.stringify(measures)}, "python": ${
            JSON.stringify(python)
          }}`
        )
      const joined = yield* Schema.decodeUnknownEffect(Joined)(structured(yield* join([])))
      const { files: _, ...findings } = joined.findings
      expect(findings).toEqual(expected)
      expect(joined.disagreements).toEqual([])
      const other = { path: "lib/short.ts", kind: "missing", bytes: 0 }
      const differing = yield* Schema.decodeUnknownEffect(Joined)(structured(yield* join([other])))
      expect(differing.findings).toEqual(joined.findings)
      expect(differing.disagreements.map(({ path }) => path)).toEqual(["lib/short.ts"])
    }))

  it.effect("fails its turn with a clear word for a folder that is not there", () =>
    Effect.gen(function*() {
      expect(yield* turn(`{"task": "list", "root": "/absent"}`)).toEqual({
        status: "failed",
        code: "FOLDER_REFUSED",
        reason: "there is no folder /absent; check the path"
      })
      expect(yield* turn("{\"task\": \"sing\"}")).toMatchObject({ status: "failed", code: "input_invalid" })
    }))
})
