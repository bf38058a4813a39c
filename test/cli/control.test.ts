import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { connectHost } from "../../core/cli/control/client.ts"
import { type Offer, serveControl } from "../../core/cli/control/server.ts"
import { type MobHandle, MobNotFound, RunNotFound, type RunRecord } from "../../core/mob/index.ts"
import { FlowId, MobId, RunId } from "../../sdk/ids.ts"
import type { StoredEvent } from "../../sdk/store.ts"
import { dataDir } from "./mob.ts"

const record: RunRecord = {
  run_id: RunId.make("r-1"),
  flow_id: FlowId.make("main"),
  status: "completed",
  params: { snake_case: 1 },
  steps: { "10": { status: "completed", output: { some_key: null } }, scan: { status: "failed", reason: "no" } },
  output: { steps: {} },
  started_at: 1,
  completed_at: 2
}

const event = (cursor: number): StoredEvent => ({
  cursor,
  at: cursor,
  event: { type: "step_completed", run_id: "r-1" }
})

/** The part of a mob that these tests speak to. */
const fake = (more: Partial<MobHandle> = {}): MobHandle => {
  const id = MobId.make("m")
  const parts: Partial<MobHandle> = {
    id,
    run: (run) => run === "r-1" ? Effect.succeed(record) : Effect.fail(new RunNotFound({ mob: id, run })),
    ...more
  }
  // Whatever else is called would be a defect of the test.
  return parts as MobHandle
}

const offer = (mob: MobHandle): Offer => ({
  mobs: {
    get: (id) => id === mob.id ? Effect.succeed(mob) : Effect.fail(new MobNotFound({ mob: id })),
    list: Effect.succeed([mob])
  },
  stored: Effect.succeed([mob.id, "another"]),
  tree: Effect.succeed({
    name: "system",
    path: "/",
    status: "running",
    mailbox: 0,
    processed: 0,
    restarts: 0,
    children: []
  }),
  openFile: () => Effect.succeed(mob)
})

/** A served socket and a client of it; the host ends with `host`, or with the test. */
const served = (mob: MobHandle, host?: Scope.Scope) =>
  Effect.gen(function*() {
    const { dir } = yield* Effect.acquireRelease(Effect.sync(dataDir), (it) => Effect.sync(() => it[Symbol.dispose]()))
    const path = join(dir, "control.sock")
    // A socket's file that a dead host left.
    writeFileSync(path, "")
    yield* Scope.provide(serveControl(path, offer(mob)), host ?? (yield* Effect.scope))
    const client = yield* connectHost(path)
    if (client === undefined) return yield* Effect.die("nobody answered")
    return { client, path }
  })

describe("the control socket", () => {
  it.live("greets, and hands records over as they are", () =>
    Effect.gen(function*() {
      const { client } = yield* served(fake())
      expect([client.pid, client.mobs]).toEqual([process.pid, ["m"]])
      expect(yield* client.stored).toEqual(["m", "another"])
      expect(yield* client.run("m", "r-1")).toEqual(record)
      expect((yield* client.tree).name).toBe("system")
    }))

  it.live("a failure keeps its code, its message and its exit code", () =>
    Effect.gen(function*() {
      const { client } = yield* served(fake({ cancel: () => Effect.die("boom") }))
      expect(yield* Effect.flip(client.run("m", "r-2"))).toMatchObject({
        code: "RUN_NOT_FOUND",
        text: "mob m has no run r-2",
        exit: 2
      })
      expect(yield* Effect.flip(client.run("other", "r-1"))).toMatchObject({ code: "MOB_NOT_FOUND", exit: 2 })
      expect((yield* Effect.flip(client.cancel("m", "r-1"))).exit).toBe(1)
      // The connection lives on.
      expect(yield* client.run("m", "r-1")).toEqual(record)
    }))

  it.live("follows events in order until the mob closes, and tells why it cannot", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: 2_000 }, (_, index) => event(index + 1))
      const { client } = yield* served(fake({ events: (after) => Stream.fromIterable(many.slice(after)) }))
      const seen = yield* Stream.runCollect(client.follow("m", 10))
      expect(seen.map((it) => it.cursor)).toEqual(many.slice(10).map((it) => it.cursor))
    }))

  it.live("a client that leaves ends its follow and nothing else", () =>
    Effect.gen(function*() {
      const seen = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      const forever = Stream.concat(Stream.make(event(1)), Stream.never).pipe(
        Stream.ensuring(Deferred.succeed(left, undefined))
      )
      const { client, path } = yield* served(fake({ events: () => forever }))
      const following = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const other = yield* connectHost(path)
        if (other !== undefined) yield* Stream.runForEach(other.follow("m", 0), () => Deferred.succeed(seen, undefined))
      })))
      yield* Deferred.await(seen)
      expect(yield* Deferred.isDone(left)).toBe(false)
      yield* Fiber.interrupt(following)
      yield* Deferred.await(left)
      expect(yield* client.run("m", "r-1")).toEqual(record)
    }))

  it.live("a host that goes away fails what waits for it, with HOST_GONE", () =>
    Effect.gen(function*() {
      const host = yield* Scope.make()
      const asked = yield* Deferred.make<void>()
      const mob = fake({ awaitRun: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never) })
      const { client } = yield* served(mob, host)
      const waiting = yield* Effect.forkChild(Effect.flip(client.awaitRun("m", "r-1")))
      yield* Deferred.await(asked)
      yield* Scope.close(host, Exit.void)
      expect(yield* Fiber.join(waiting)).toMatchObject({ code: "HOST_GONE", exit: 1 })
      expect(yield* Effect.flip(client.run("m", "r-1"))).toMatchObject({ code: "HOST_GONE" })
    }))

  it.live("nobody at the socket is no host", () =>
    Effect.gen(function*() {
      expect(yield* connectHost("/nowhere/control.sock")).toBeUndefined()
    }))
})
