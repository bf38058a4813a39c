/**
 * Members that do not behave: each costs itself, and nobody else. Real children, real time.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { SubprocessConfig } from "../../plugins/subprocess/index.ts"
import { InputId } from "../../sdk/ids.ts"
import { alive, bindChild, delivery, hostile, isExited, isTurnEnded } from "./children.ts"

/** Binds, delivers one input, and gives how the member ended. When that is told, nobody of its group is left. */
const ends = (habit: string, more: Partial<SubprocessConfig> = {}) =>
  Effect.gen(function*() {
    const { connection, record, until } = yield* bindChild(hostile(habit, more))
    yield* Effect.forkChild(connection.deliver(delivery("r/1")))
    const { exit } = yield* until(isExited)
    expect(alive(record.pgid)).toEqual([])
    return exit
  }).pipe(Effect.scoped)

/** How a binding fails. */
const refuses = (habit: string, more: Partial<SubprocessConfig> = {}) =>
  Effect.flip(Effect.scoped(bindChild(hostile(habit, more))))

describe("a member that cannot be bound", () => {
  it.live("because it never answers is handshake_timeout", () =>
    Effect.gen(function*() {
      const error = yield* refuses("never-answers", { startup_timeout_ms: 300 })
      expect(error).toMatchObject({ identity: "a", cause_code: "handshake_timeout" })
      expect(error.reason).toContain("300 ms")
    }))

  it.live("because it dies at once is member_exited, with its status and its last lines", () =>
    Effect.gen(function*() {
      const error = yield* refuses("dies-at-once")
      expect(error).toMatchObject({ cause_code: "member_exited", log: ["no licence", "bye"] })
      expect(error.reason).toBe("it exited with status 3 before it had answered initialize")
    }))

  it.live("because it prints to standard output is protocol_violation", () =>
    Effect.gen(function*() {
      const error = yield* refuses("prints-first")
      expect(error.cause_code).toBe("protocol_violation")
      expect(error.reason).toContain("Welcome to member 1.0!")
    }))

  it.live("because it speaks another protocol is handshake_failed", () =>
    Effect.gen(function*() {
      expect(yield* refuses("speaks-9")).toMatchObject({ cause_code: "handshake_failed" })
    }))
})

describe("a member that ends", () => {
  it.live("with status 0 in the middle of a turn is member_exited", () =>
    Effect.gen(function*() {
      expect(yield* ends("exits-in-a-turn")).toMatchObject({
        code: "member_exited",
        message: "it exited with status 0"
      })
    }))

  it.live("and leaves a grandchild that ignores SIGTERM takes it along", () =>
    Effect.gen(function*() {
      expect(yield* ends("leaves-a-grandchild")).toMatchObject({ code: "member_exited" })
    }))

  it.live("its output, but not itself, is of no use and is killed", () =>
    Effect.gen(function*() {
      const exit = yield* ends("closes-output")
      expect(exit).toMatchObject({ code: "member_exited", message: "it closed its output and lived on" })
    }))
})

describe("a member that breaks the protocol is killed", () => {
  it.live("if it prints garbage in a turn", () =>
    Effect.gen(function*() {
      const exit = yield* ends("prints")
      expect(exit.code).toBe("protocol_violation")
      expect(exit.message).toContain("hello, world")
    }))

  it.live("if it writes 200 MB without a line feed, of which no more than a document is kept", () =>
    Effect.gen(function*() {
      const exit = yield* ends("floods-stdout")
      expect(exit.code).toBe("protocol_violation")
      expect(exit.message).toContain("longer than 4194304 bytes")
    }))

  it.live("if it ends an input of somebody else", () =>
    Effect.gen(function*() {
      const exit = yield* ends("ends-another")
      expect(exit.code).toBe("protocol_violation")
      expect(exit.message).toContain("somebody/else")
    }))
})

describe("a member that falls silent", () => {
  it.live("in a turn is ended when its idle timeout has passed", () =>
    Effect.gen(function*() {
      expect(yield* ends("goes-silent", { idle_timeout_ms: 200 })).toMatchObject({ code: "member_idle" })
      expect(yield* ends("never-answers-deliver", { idle_timeout_ms: 200 })).toMatchObject({ code: "member_idle" })
      expect(yield* ends("stops-itself", { idle_timeout_ms: 200 })).toMatchObject({ code: "member_idle" })
    }))

  it.live("lives on while it makes progress, and while no turn is in flight", () =>
    Effect.gen(function*() {
      const { connection, events, until } = yield* bindChild(hostile("makes-slow-progress", { idle_timeout_ms: 400 }))
      yield* connection.deliver(delivery("r/1"))
      expect((yield* until(isTurnEnded)).outcome).toEqual({ status: "completed", output: "slow" })
      yield* connection.settled(InputId.make("r/1"))
      yield* Effect.sleep(600)
      expect(events.filter(isExited)).toEqual([])
    }).pipe(Effect.scoped))

  it.live("without an idle timeout is waited for, and its calls with it", () =>
    Effect.gen(function*() {
      const { connection, events } = yield* bindChild(hostile("never-answers-deliver"))
      yield* connection.interrupt(InputId.make("r/1"))
      const delivering = yield* Effect.forkChild(connection.deliver(delivery("r/1")))
      yield* Effect.sleep(300)
      expect(delivering.pollUnsafe()).toBeUndefined()
      expect(events).toEqual([])
    }).pipe(Effect.scoped))
})

describe("closing the Scope", () => {
  it.live.each(["ignores-everything", "stops-itself", "has-a-grandchild"])(
    "of a member that %s leaves nobody of its group, and tells no end",
    (habit) =>
      Effect.gen(function*() {
        const { events, record, scope, until } = yield* bindChild(hostile(habit))
        if (habit === "has-a-grandchild") {
          yield* until((event) => event.type === "log")
          expect(alive(record.pgid)).toHaveLength(2)
        }
        yield* Scope.close(scope, Exit.void)
        expect(alive(record.pgid)).toEqual([])
        expect(events.filter(isExited)).toEqual([])
      }).pipe(Effect.scoped)
  )

  it.live("while the handshake is under way takes the child down", () =>
    Effect.gen(function*() {
      // The handshake itself would be waited for longer than a test may take.
      const bound = Effect.scoped(bindChild(hostile("never-answers", { startup_timeout_ms: 120_000 })))
      expect(yield* Effect.timeoutOption(bound, 300)).toMatchObject({ _tag: "None" })
    }))
})

it.live("a member may write 200 MB to its log: the last lines are kept, and it works on", () =>
  Effect.gen(function*() {
    const before = process.memoryUsage().rss
    const { connection, events, scope, until } = yield* bindChild(hostile("floods-stderr"))
    yield* connection.deliver(delivery("r/1"))
    yield* until(isTurnEnded)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
    const lines = events.flatMap((event) => event.type === "log" ? [event.line] : [])
    expect(lines.at(-1)).toBe("the last line")
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(1100)
    yield* Scope.close(scope, Exit.void)
  }).pipe(Effect.scoped))

it.live("a member that stops reading is waited for: deliveries queue up to a bound, and the budget holds", () =>
  Effect.gen(function*() {
    const { budget, connection, scope } = yield* bindChild(hostile("stops-itself"))
    const content = "x".repeat(1_000_000)
    for (let n = 0; n < 20; n++) yield* Effect.forkChild(connection.deliver(delivery(`r/${n}`, content)))
    yield* Effect.sleep(200)
    expect(budget.used).toBeGreaterThan(900_000)
    expect(budget.used).toBeLessThan(3_000_000)
    yield* Scope.close(scope, Exit.void)
    expect(budget.used).toBe(0)
  }).pipe(Effect.scoped))
