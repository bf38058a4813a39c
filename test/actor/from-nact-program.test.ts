/** Programs as nact's own documentation shows them, with their functions in cells. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { dispatch, type Ref, spawn, spawnStateless, start, stop } from "nact"
import { ActorSystem, Behavior, type NactContext, nactRef } from "../../core/actor/index.ts"
import { everySystem } from "./fixtures.ts"
import { dispatchFrom, ported, queryOf, settleNact } from "./nact-fixtures.ts"

type Request =
  | { readonly type: "create"; readonly user: string; readonly name: string }
  | { readonly type: "all"; readonly user: string }

/** One actor a user, spawned by nact when it is first asked for; it answers who asked the service. */
const contactsOfUser = (parent: Ref<Request>, user: string) =>
  spawn(
    parent,
    (contacts: ReadonlyArray<string> = [], message: Request, context) => {
      const next = message.type === "create" ? [...contacts, message.name] : contacts
      // nact's types leave the sender out.
      dispatch((context as NactContext<Request>).sender, next)
      return next
    },
    user
  )

for (const [systemName, layer] of everySystem) {
  describe(`a program written for nact, ${systemName}`, () => {
    it.effect("the greeter: a state that begins by default", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const said: Array<string> = []
        const greeter = yield* system.spawn(
          ported<Readonly<Record<string, true>> | undefined, string>("greeter", undefined, (state = {}, name) => {
            said.push(state[name] ? `Hello again ${name}.` : `Good to meet you, ${name}.`)
            return { ...state, [name]: true }
          })
        )
        for (const name of ["Erlang", "Akka", "Erlang"]) dispatch(nactRef(greeter), name)
        yield* settleNact
        yield* settleNact
        assert.deepStrictEqual(said, ["Good to meet you, Erlang.", "Good to meet you, Akka.", "Hello again Erlang."])
      }).pipe(Effect.provide(layer)))

    it.effect("ping and pong: a cell and an actor of nact, by sender and self", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const nact = start()
        const heard: Array<string> = []
        const over = Promise.withResolvers<void>()
        const play = async (message: string, context: NactContext<string>) => {
          heard.push(`${context.name} hears ${message}`)
          if (heard.length === 6) return over.resolve()
          await undefined
          dispatchFrom(context.sender, context.name, context.self)
        }
        const ping = yield* system.spawn({
          name: "ping",
          init: () => Effect.void,
          behavior: Behavior.fromNactStateless(play)
        })
        const pong = spawnStateless(nact, play as (message: string) => Promise<void>, "pong")
        dispatchFrom(nactRef(ping), "begin", pong)
        yield* Effect.promise(() => over.promise)
        const [begin, ...rally] = heard
        assert.strictEqual(begin, "ping hears begin")
        assert.deepStrictEqual(rally, [1, 2, 3, 4, 5].map((n) => n % 2 === 1 ? "pong hears ping" : "ping hears pong"))
        stop(nact)
      }).pipe(Effect.provide(layer)))

    it.effect("the contacts service: queries, passed on with their sender to a child a user", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const contacts = yield* system.spawn({
          name: "contacts",
          init: () => Effect.void,
          behavior: Behavior.fromNactStateless((message: Request, { children, self, sender }) => {
            const user = children.get(message.user) ?? contactsOfUser(self, message.user)
            dispatchFrom(user, message, sender)
          })
        })
        const ask = (request: Request) => queryOf<Request, ReadonlyArray<string>>(contacts, () => request)
        yield* ask({ type: "create", user: "ada", name: "Charles" })
        yield* ask({ type: "create", user: "grace", name: "Howard" })
        yield* ask({ type: "create", user: "ada", name: "Mary" })
        assert.deepStrictEqual(yield* ask({ type: "all", user: "ada" }), Exit.succeed(["Charles", "Mary"]))
        assert.deepStrictEqual(yield* ask({ type: "all", user: "grace" }), Exit.succeed(["Howard"]))
      }).pipe(Effect.provide(layer)))
  })
}
