/**
 * Making, opening and finding mobs: the `Mobs` service over a journal, an actor system and bridges.
 */
import { Clock, Effect, Layer, Random, type Scope, Semaphore } from "effect"
import type { Definition, LoadedDefinition } from "../../sdk/definition/index.ts"
import { Identity, MobId } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import { Journal, type MobLog } from "../../sdk/store.ts"
import { ActorSystem, type Reply, type SpawnFailed } from "../actor/index.ts"
import type { MemberSpec, MobCommand, MobReply, MobState } from "../machine/mob/index.ts"
import { Bridges } from "../plugin/index.ts"
import { bridgeOf, checkBridges, checkUnchanged, pinnable } from "./checks.ts"
import * as E from "./errors.ts"
import { makeHandle } from "./handle.ts"
import { nextUuid, sha256 } from "./ids.ts"
import type { CommandFailed } from "./messages.ts"
import type { InForce } from "./plans.ts"
import { narrow } from "./refused.ts"
import { RunningMob, type StartOptions } from "./running.ts"
import { readPinned, storedMob } from "./stored.ts"
import { type CommandError, type MobHandle, Mobs, type MobsShape } from "./types.ts"

/** Milliseconds the first commands of a mob may take. */
const START_MILLIS = 60_000

/** A mob that is open, and how many opened it. */
interface Open {
  readonly mob: RunningMob
  readonly handle: MobHandle
  holders: number
}

const make = Effect.gen(function*() {
  const journal = yield* Journal
  const system = yield* ActorSystem
  const bridges = yield* Bridges
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  /** One that has closed stands here until it is let go, or opened anew. */
  const live = new Map<MobId, Open>()
  const turns = new Map<MobId, { readonly semaphore: Semaphore.Semaphore; users: number }>()

  /** Makes and opens of one mob come one after the other: two owners at once would fence each other. */
  const inTurn = <A, Err, R>(id: MobId, effect: Effect.Effect<A, Err, R>): Effect.Effect<A, Err, R> =>
    Effect.suspend(() => {
      const turn = turns.get(id) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      turns.set(id, turn)
      turn.users += 1
      const leave = Effect.sync(() => {
        turn.users -= 1
        if (turn.users === 0) turns.delete(id)
      })
      return Effect.ensuring(turn.semaphore.withPermits(1)(effect), leave)
    })

  /** The mob that is open in this process; one that has closed is first waited for until nothing of it is left. */
  const opened = (id: MobId): Effect.Effect<Open | undefined> =>
    Effect.suspend(() => {
      const known = live.get(id)
      if (known?.mob.isClosed !== true) return Effect.succeed(known)
      return Effect.map(known.mob.close("it was closed"), () => {
        if (live.get(id) === known) live.delete(id)
        return undefined
      })
    })

  /** Holds a mob for a Scope. The last one who lets go closes it. */
  const held = <Err, R>(id: MobId, get: Effect.Effect<Open, Err, R>): Effect.Effect<MobHandle, Err, R | Scope.Scope> =>
    Effect.map(
      Effect.acquireRelease(
        inTurn(
          id,
          Effect.map(get, (open) => {
            open.holders += 1
            return open
          })
        ),
        (open) =>
          Effect.suspend(() => {
            open.holders -= 1
            if (open.holders > 0) return Effect.void
            return Effect.map(open.mob.close("its scope was closed"), () => {
              if (live.get(id) === open) live.delete(id)
            })
          }),
        { interruptible: true }
      ),
      ({ handle }) => handle
    )

  /** Starts the cells and gives them their first commands; if any fails, nothing is left of the mob here. */
  const start = <Err>(
    log: MobLog,
    inForce: InForce,
    left: Pick<StartOptions, "canceled" | "stuck">,
    begin: (mob: RunningMob) => Effect.Effect<unknown, Err>
  ): Effect.Effect<Open, Err | CommandError> =>
    Effect.suspend(() => {
      const mob = new RunningMob({ log, system, bridges, inForce, ...left }, clock, () => random.nextDoubleUnsafe())
      return Effect.mapError(mob.start, startFailed(log.mob)).pipe(
        Effect.andThen(Effect.suspend(() => begin(mob))),
        Effect.onError(() => mob.close("it could not be started")),
        Effect.map(() => {
          const handle = makeHandle({ mob, bridges, nextId: nextUuid, digest: sha256 })
          const open: Open = { mob, handle, holders: 0 }
          live.set(log.mob, open)
          return open
        })
      )
    })

  const command = (mob: RunningMob, make: (now: number) => MobCommand, pins?: { digest: string; definition: Json }) =>
    mob.question("starting the mob", (reply: Reply<MobReply, CommandFailed>) => ({
      type: "command",
      command: make,
      ...(pins === undefined ? {} : { pins: [pins] }),
      reply
    }), START_MILLIS)

  const create = (loaded: LoadedDefinition, log: MobLog) =>
    Effect.gen(function*() {
      const { base, definition, digest } = loaded
      const lifetimes = yield* checkBridges(definition, bridges)
      const members = definition.members.map((it): MemberSpec => ({
        identity: Identity.make(it.identity),
        role: it.profile,
        labels: it.labels,
        lifetime: lifetimes.get(it.profile) ?? "host"
      }))
      return yield* start(log, { definition, digest, base }, {}, (mob) =>
        narrow<E.MobExists | E.MemberExists | E.IdentityReserved>()(command(
          mob,
          (at) => ({ type: "create", at, mob_id: log.mob, digest, base, epoch: log.epoch, members }),
          { digest, definition: pinnable(definition) }
        )))
    })

  /** This definition takes effect for new runs. A destroyed mob has none, and keeps what it was. */
  const revise = (mob: RunningMob, before: string, { base, definition, digest }: LoadedDefinition) =>
    Effect.catchTag(
      command(
        mob,
        () => ({ type: "revise", digest, base }),
        digest === before ? undefined : { digest, definition: pinnable(definition) }
      ),
      "InvalidTransition",
      () => Effect.void
    )

  /** Opens one that is open with a definition that may be another. */
  const reviseOpen = (open: Open, loaded: LoadedDefinition) =>
    Effect.gen(function*() {
      const { mob } = open
      yield* checkUnchanged(mob.log.mob, mob.plans.inForce.definition, loaded.definition)
      if (loaded.digest === mob.plans.inForce.digest && loaded.base === mob.plans.inForce.base) return open
      yield* narrow<never>()(revise(mob, mob.plans.inForce.digest, loaded))
      mob.plans.revise({ definition: loaded.definition, digest: loaded.digest, base: loaded.base })
      return open
    })

  const reopen = (log: MobLog, state: MobState, loaded: LoadedDefinition | undefined) =>
    Effect.gen(function*() {
      const stored = yield* readPinned(log, state.digest)
      if (loaded !== undefined) yield* checkUnchanged(log.mob, stored, loaded.definition)
      const inForce = loaded === undefined
        ? { definition: stored, digest: state.digest, base: state.base }
        : { definition: loaded.definition, digest: loaded.digest, base: loaded.base }
      yield* checkBridges(inForce.definition, bridges)
      const stuck = yield* reapAll(state, inForce.definition)
      const canceled = new Set(inForce.definition.on_resume === "cancel" ? state.active.keys() : [])
      return yield* start(log, inForce, { canceled, stuck: new Map(stuck) }, (mob) =>
        Effect.gen(function*() {
          for (const [identity, cause] of stuck) {
            yield* narrow<never>()(command(mob, (at) => ({ type: "break_member", at, identity, cause })))
          }
          mob.members.stuck.clear()
          if (loaded !== undefined) yield* narrow<never>()(revise(mob, state.digest, loaded))
        }))
    })

  /** Ends what an earlier host left running; members whose process would not die are named (protocol 18). */
  const reapAll = (state: MobState, definition: Definition) =>
    Effect.gen(function*() {
      const left = [...state.members.values()].filter((it) => it.process !== undefined)
      const reaped = yield* Effect.forEach(left, (member) => {
        const reap = bridgeOf(definition, bridges, member.role)?.bridge.reap
        if (reap === undefined || member.process === undefined) return Effect.succeed([])
        return Effect.match(reap(member.process.record), {
          onSuccess: () => [],
          onFailure: (
            error
          ) => [[member.identity, { code: error.code.toLowerCase(), message: error.message, log: [] }] as const]
        })
      }, { concurrency: 16 })
      return reaped.flat()
    })

  const openWith = (log: MobLog, loaded: LoadedDefinition | undefined) =>
    Effect.gen(function*() {
      const state = yield* storedMob(log)
      return state === undefined ? undefined : yield* reopen(log, state, loaded)
    })

  const service: MobsShape = {
    create: Effect.fn("Mobs.create")(function*(loaded) {
      const id = MobId.make(loaded.definition.id)
      return yield* held(
        id,
        Effect.gen(function*() {
          if ((yield* opened(id)) !== undefined) return yield* new E.MobExists({ mob: id })
          const log = yield* journal.acquire(id)
          if ((yield* storedMob(log)) !== undefined) return yield* new E.MobExists({ mob: id })
          return yield* create(loaded, log)
        })
      )
    }),
    open: Effect.fn("Mobs.open")(function*(mob, loaded) {
      return yield* held(
        mob,
        Effect.gen(function*() {
          const known = yield* opened(mob)
          if (known !== undefined) return loaded === undefined ? known : yield* reviseOpen(known, loaded)
          if (!(yield* journal.mobs).includes(mob)) return yield* new E.MobNotFound({ mob })
          return (yield* openWith(yield* journal.acquire(mob), loaded)) ?? (yield* new E.MobNotFound({ mob }))
        })
      )
    }),
    openOrCreate: Effect.fn("Mobs.openOrCreate")(function*(loaded) {
      const id = MobId.make(loaded.definition.id)
      return yield* held(
        id,
        Effect.gen(function*() {
          const known = yield* opened(id)
          if (known !== undefined) return yield* reviseOpen(known, loaded)
          const log = yield* journal.acquire(id)
          const stored = yield* openWith(log, loaded)
          if (stored !== undefined) return stored
          return yield* Effect.catchTag(create(loaded, log), "MobExists", (exists) => Effect.die(exists))
        })
      )
    }),
    get: (mob) =>
      Effect.suspend(() => {
        const known = live.get(mob)
        return known === undefined || known.mob.isClosed
          ? Effect.fail(new E.MobNotFound({ mob }))
          : Effect.succeed(known.handle)
      }),
    list: Effect.sync(() =>
      [...live.values()].filter((it) => !it.mob.isClosed).map((it) => it.handle).sort((a, b) => (a.id < b.id ? -1 : 1))
    )
  }
  return service
})

/** The service. Mobs are scoped to their callers; what is still open when the layer closes goes with the actor system. */
export const layer: Layer.Layer<Mobs, never, Journal | ActorSystem | Bridges> = Layer.effect(Mobs, make)

const startFailed = (mob: string) => (failed: SpawnFailed): CommandError =>
  new E.MobClosed({ mob, reason: `its cells could not be started: ${failed.message}` })
