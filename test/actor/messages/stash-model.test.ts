import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import fc from "fast-check"
import type { Reply } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { effort } from "../fixtures.ts"
import { type Got, gotOf, type Life, makeGate, spawnScribe, type Task } from "./fixtures.ts"
import { type Command, LAST_VISIT, StashModel, type Step, type Visible, type Visit } from "./stash-model.ts"

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant("stash" as const) },
  { weight: 3, arbitrary: fc.constant("unstash" as const) },
  { weight: 1, arbitrary: fc.constant("end" as const) },
  { weight: 2, arbitrary: fc.record({ answer: fc.nat(20) }) }
)
const visit: fc.Arbitrary<Visit> = fc.record({
  later: fc.boolean(),
  steps: fc.array(step, { maxLength: 3 }),
  end: fc.oneof(
    { weight: 6, arbitrary: fc.constant("done" as const) },
    { weight: 1, arbitrary: fc.constantFrom("fail", "hold", "hold, then fail") }
  )
})
const plan = fc.array(visit, { maxLength: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("tell" as const), plan }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant("ask" as const), plan, timeout: fc.constantFrom(Infinity, 100, 300) })
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("pass" as const), millis: fc.constantFrom(60, 150) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constantFrom("suspend", "resume", "resume", "crash", "stash", "unstash", "unstash", "open", "open")
    })
  }
)

/** A cell that does what the model does. */
const spawnModelled = (capacity: number, backpressure: boolean) =>
  Effect.gen(function*() {
    const scribe = yield* spawnScribe({ mailbox: { capacity, overflow: backpressure ? "backpressure" : "fail" } })
    const { context, letters, log, node, ref } = scribe
    const replies: Array<Reply<string>> = []
    const asks: Array<Got> = []
    const answered = Exit.succeed("answered")
    let made = 0
    let gate = makeGate()

    const task = (plan: ReadonlyArray<Visit>, reply?: Reply<string>): Task => {
      let visits = 0
      const start = (life: Life, visit: Visit) => {
        for (const step of visit.steps) {
          if (step === "stash") life.putAside()
          else if (step === "unstash") life.context.unstash()
          else if (step === "end") life.context.end()
          else replies[step.answer % replies.length]?.done(answered)
        }
        if (visit === LAST_VISIT) reply?.done(answered)
      }
      return {
        text: `m${++made}`,
        run: (life) => {
          const visit = plan[visits++] ?? LAST_VISIT
          const { end, later } = visit
          const last = end.endsWith("fail") ? Exit.fail("boom") : Exit.void
          const holds = end.startsWith("hold")
          if (!later) start(life, visit)
          if (!later && !holds) return last
          return Effect.gen(function*() {
            if (later) {
              yield* Effect.yieldNow
              start(life, visit)
            }
            if (holds) yield* gate.wait
            yield* last
          })
        }
      }
    }

    const run = (command: Command) =>
      Effect.gen(function*() {
        switch (command.type) {
          case "tell":
            yield* Effect.forkDetach(ref.tell(task(command.plan)), { startImmediately: true })
            break
          case "ask": {
            const make = (reply: Reply<string>) => {
              replies.push(reply)
              return task(command.plan, reply)
            }
            const asking = yield* Effect.forkDetach(ref.ask(make, command.timeout), { startImmediately: true })
            asks.push(gotOf(asking))
            break
          }
          case "pass":
            yield* advance(command.millis)
            break
          case "suspend":
            context().suspend()
            break
          case "resume":
            context().resume()
            break
          case "crash":
            context().crash(Cause.fail("outside"))
            break
          case "stash":
            context().stash()
            break
          case "unstash":
            context().unstash()
            break
          case "open": {
            const open = gate.open
            // What holds from here on waits for the next time.
            gate = makeGate()
            open()
          }
        }
        yield* settle
      })

    const stop = (drain: boolean) =>
      Effect.gen(function*() {
        yield* Effect.forkDetach(ref.stop({ drain }), { startImmediately: true })
        if (drain) gate.open()
        yield* settle
      })

    const visible = (): Visible => {
      const { mailbox = 0, processed = 0, restarts = 0 } = node() ?? {}
      return { log: log.slice(), letters: letters(), asks: asks.map((got) => got()), mailbox, processed, restarts }
    }
    return { run, stop, visible }
  })

describe("stash, and the arrays that it should be", () => {
  it.effect(
    "whatever is told, asked, put aside and back, answered, crashed, ended and stopped, in whichever order",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(command, { maxLength: 40 }),
            fc.integer({ min: 1, max: 5 }),
            fc.boolean(),
            fc.boolean(),
            fc.nat(1_000),
            (commands, capacity, backpressure, drain, seed) =>
              Effect.runPromise(
                Effect.gen(function*() {
                  const cell = yield* spawnModelled(capacity, backpressure)
                  const model = new StashModel(capacity, backpressure)
                  for (const command of commands) {
                    yield* cell.run(command)
                    model.do(command)
                    assert.deepStrictEqual(cell.visible(), model.visible())
                  }
                  yield* cell.stop(drain)
                  model.stop(drain)
                  const [real, ideal] = [cell.visible(), model.visible()]
                  assert.deepStrictEqual([real.log, real.asks], [ideal.log, ideal.asks])
                  assert.deepStrictEqual(real.letters.toSorted(), ideal.letters.toSorted())
                }).pipe(Effect.provide(seed % 2 === 0 ? TestSystem.layerProduction() : TestSystem.layer(seed)))
              )
          ),
          { numRuns: effort(300, 20_000) }
        )
      ),
    600_000
  )
})
