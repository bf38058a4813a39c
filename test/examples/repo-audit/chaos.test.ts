import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type BridgeEvent, Identity, InputId, type MemberBridge, MobId } from "mobwright/sdk"
import { chaotic, KILLS } from "../../../examples/repo-audit/chaos.ts"

/** A bridge whose members accept at once and end a turn when told; its processes are numbers. */
const paper = () => {
  let processes = 0
  let emit: (event: BridgeEvent) => void = () => {}
  const bridge: MemberBridge<{}> = {
    id: "paper",
    config: Schema.Struct({}),
    lifetime: "host",
    bind: (_, given) =>
      Effect.sync(() => {
        emit = given
        const pgid = ++processes
        return {
          outcomes: "memory",
          process: { pid: pgid, pgid, start_ticks: 0, boot_id: "" },
          observed: [],
          deliver: () => Effect.succeed("accepted"),
          settled: () => Effect.void,
          interrupt: () => Effect.void,
          cancel: () => Effect.void,
          retire: Effect.void
        }
      })
  }
  return {
    bridge,
    end: (input: InputId) => emit({ type: "turn_ended", input, outcome: { status: "completed", output: "" } })
  }
}

/** Gives one member many inputs, each until its end is passed on; what happened, as text. */
const work = (seed: number, inputs: number, identity = "a", pause: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function*() {
    const { bridge, end } = paper()
    const story: Array<string> = []
    let dead = false
    let passed = false
    const wrapped = chaotic(bridge, {
      seed,
      kill: (pgid) => {
        dead = true
        story.push(`kill ${pgid}`)
      }
    })
    const bind = wrapped.bind({
      mob: MobId.make("m"),
      identity: Identity.make(identity),
      role: "r",
      generation: 1,
      fence: 1,
      labels: {},
      config: {},
      base: "/"
    }, () => {
      passed = true
    })
    let connection = yield* bind
    for (let index = 0; index < inputs; index++) {
      const input = InputId.make(`i${index}`)
      passed = false
      while (!passed) {
        if (dead) connection = yield* bind
        dead = false
        yield* connection.deliver({ input, fence: 1, content: "", deadline: undefined, overlay: undefined, memos: {} })
        story.push(`${dead ? "accepted, dead" : "accepted"} ${input}`)
        // It may have ended all the same, before the kill was done.
        end(input)
        // A kill and a passed end never meet: the log has the crash before the run can end.
        expect(dead && passed).toBe(false)
        expect(dead || passed).toBe(true)
      }
      yield* pause
    }
    return story
  })

const kills = (story: ReadonlyArray<string>) => story.filter((line) => line.startsWith("kill")).length

describe("chaos", () => {
  it.effect("follows from the seed", () =>
    Effect.gen(function*() {
      expect(yield* work(1, 40)).toEqual(yield* work(1, 40))
      expect(yield* work(1, 40)).not.toEqual(yield* work(2, 40))
      expect(yield* work(1, 40, "a")).not.toEqual(yield* work(1, 40, "b"))
    }))

  it.effect("kills a member three times a minute at most, at both moments", () =>
    Effect.gen(function*() {
      const stories = yield* Effect.forEach([1, 2, 3, 4, 5, 6], (seed) => work(seed, 200))
      for (const story of stories) expect(kills(story)).toBe(3)
      const all = stories.flat()
      expect(all.some((line) => line.startsWith("accepted, dead"))).toBe(true)
      const between = stories.some((story) =>
        story.some((line, at) =>
          line.startsWith("kill") && story[at - 1]?.startsWith("accepted i")
          && !story[at + 1]?.startsWith("accepted, dead")
        )
      )
      expect(between).toBe(true)
    }))

  it.effect("goes on in the next minute until it has killed often enough", () =>
    Effect.gen(function*() {
      expect(kills(yield* work(1, 200, "a", TestClock.adjust("10 seconds")))).toBe(KILLS)
    }))

  it.effect("never kills over one input so often that its redeliveries run out", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 300; seed++) expect(kills(yield* work(seed, 1))).toBeLessThanOrEqual(2)
    }))
})
