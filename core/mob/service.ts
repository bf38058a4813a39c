/**
 * Making, opening and finding mobs: the `Mobs` service over a journal, an actor system and bridges.
 */
import { Clock, Effect, Layer, Random } from "effect"
import type { Definition, LoadedDefinition } from "../../sdk/definition/index.ts"
import { Identity, MobId } from "../../sdk/ids.ts"
import { canonical, equals, type Json } from "../../sdk/json.ts"
import { Journal, type MobLog } from "../../sdk/store.ts"
import { ActorSystem, type SpawnFailed } from "../actor/index.ts"
import type { MemberSpec, MobCommand, MobReply, MobState } from "../machine/mob/index.ts"
import { Bridges } from "../plugin/index.ts"
import * as E from "./errors.ts"
import { makeHandle } from "./handle.ts"
import type { CommandFailed } from "./messages.ts"
import { askError, narrow } from "./refused.ts"
import { bridgeOf, type InForce, RunningMob } from "./running.ts"
import { readPinned, storedMob } from "./stored.ts"
import { type CommandError, type MobHandle, Mobs, type MobsShape } from "./types.ts"

/** Milliseconds the first commands of a mob may take. */
const START_MILLIS = 60_000

const make = Effect.gen(function*() {
  const journal = yield* Journal
  const system = yield* ActorSystem
  const bridges = yield* Bridges
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const live = new Map<MobId, { readonly mob: RunningMob; readonly handle: MobHandle }>()

  /** Every listed member's role must have a bridge that takes its configuration. */
  const checkBridges = (definition: Definition) =>
    Effect.gen(function*() {
      const lifetimes = new Map<string, "host" | "remote">()
      for (const role of new Set(definition.members.map((it) => it.profile))) {
        const use = definition.profiles.find(([name]) => name === role)?.[1].bridge?.use
        const found = bridgeOf(definition, bridges, role)
        if (found === undefined) {
          const known = `known are ${bridges.ids.join(", ")}`
          const reason = use === undefined
            ? `the profile has no bridge table; ${known}`
            : `there is no such bridge; ${known}`
          return yield* new E.BridgeInvalid({ profile: role, bridge: use ?? "", reason })
        }
        const wrong = yield* found.bridge.check(found.config)
        if (wrong !== undefined) {
          return yield* new E.BridgeInvalid({ profile: role, bridge: found.bridge.id, reason: wrong })
        }
        lifetimes.set(role, found.bridge.lifetime)
      }
      return lifetimes
    })

  const start = (log: MobLog, inForce: InForce) =>
    Effect.gen(function*() {
      const mob = new RunningMob({ log, system, bridges, inForce }, clock, () => random.nextDoubleUnsafe())
      const handle = makeHandle({ mob, bridges, nextId: nextUuid, digest: sha256 })
      yield* Effect.acquireRelease(
        Effect.mapError(mob.start, startFailed(log.mob)),
        () => Effect.andThen(mob.close("its scope was closed"), Effect.sync(() => live.delete(log.mob)))
      )
      live.set(log.mob, { mob, handle })
      return { mob, handle }
    })

  const command = (mob: RunningMob, make: (now: number) => MobCommand, pins?: { digest: string; definition: Json }) =>
    Effect.flatMap(mob.ask, (coordinator) =>
      Effect.mapError(
        coordinator.ask<MobReply, CommandFailed>((reply) => ({
          type: "command",
          command: make,
          ...(pins === undefined ? {} : { pins: [pins] }),
          reply
        }), START_MILLIS),
        (error) => askError(mob.log.mob, "starting the mob", error)
      ))

  const create = (loaded: LoadedDefinition, log: MobLog) =>
    Effect.gen(function*() {
      const { base, definition, digest } = loaded
      const lifetimes = yield* checkBridges(definition)
      const members = definition.members.map((it): MemberSpec => ({
        identity: Identity.make(it.identity),
        role: it.profile,
        labels: it.labels,
        lifetime: lifetimes.get(it.profile) ?? "host"
      }))
      const { handle, mob } = yield* start(log, { definition, digest, base })
      yield* narrow<E.MobExists>()(command(
        mob,
        (at) => ({ type: "create", at, mob_id: log.mob, digest, base, epoch: log.epoch, members }),
        { digest, definition: pinnable(definition) }
      ))
      return handle
    })

  const reopen = (log: MobLog, state: MobState, loaded: LoadedDefinition | undefined) =>
    Effect.gen(function*() {
      const stored = yield* readPinned(log, state.digest)
      if (loaded !== undefined) yield* checkUnchanged(log.mob, stored, loaded.definition)
      const inForce = loaded === undefined
        ? { definition: stored, digest: state.digest, base: state.base }
        : { definition: loaded.definition, digest: loaded.digest, base: loaded.base }
      yield* checkBridges(inForce.definition)
      const stuck = yield* reapAll(state, inForce.definition)
      const { handle, mob } = yield* start(log, inForce)
      if (loaded !== undefined && state.phase !== "destroyed") {
        const { base, digest } = loaded
        yield* narrow<never>()(command(
          mob,
          () => ({ type: "revise", digest, base }),
          digest === state.digest ? undefined : { digest, definition: pinnable(loaded.definition) }
        ))
      }
      for (const [identity, cause] of stuck) {
        yield* narrow<never>()(command(mob, (at) => ({ type: "break_member", at, identity, cause })))
      }
      return handle
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
      if (live.has(id)) return yield* new E.MobExists({ mob: id })
      const log = yield* journal.acquire(id)
      if ((yield* storedMob(log)) !== undefined) return yield* new E.MobExists({ mob: id })
      return yield* create(loaded, log)
    }),
    open: Effect.fn("Mobs.open")(function*(mob, loaded) {
      const known = live.get(mob)
      if (known !== undefined) return known.handle
      if (!(yield* journal.mobs).includes(mob)) return yield* new E.MobNotFound({ mob })
      const handle = yield* openWith(yield* journal.acquire(mob), loaded)
      return handle === undefined ? yield* new E.MobNotFound({ mob }) : handle
    }),
    openOrCreate: Effect.fn("Mobs.openOrCreate")(function*(loaded) {
      const id = MobId.make(loaded.definition.id)
      const known = live.get(id)
      if (known !== undefined) return known.handle
      const log = yield* journal.acquire(id)
      const opened = yield* openWith(log, loaded)
      if (opened !== undefined) return opened
      return yield* Effect.catchTag(create(loaded, log), "MobExists", (exists) => Effect.die(exists))
    }),
    get: (mob) => {
      const known = live.get(mob)
      return known === undefined ? Effect.fail(new E.MobNotFound({ mob })) : Effect.succeed(known.handle)
    },
    list: Effect.sync(() => [...live.values()].map((it) => it.handle).sort((a, b) => (a.id < b.id ? -1 : 1)))
  }
  return service
})

/** The service. Mobs are scoped to their callers; what is still open when the layer closes goes with the actor system. */
export const layer: Layer.Layer<Mobs, never, Journal | ActorSystem | Bridges> = Layer.effect(Mobs, make)

/** The definition in the JSON it is pinned as. */
// A decoded definition holds plain JSON only; its type names the fields, which `Json` does not.
const pinnable = (definition: Definition): Json => definition as unknown as Json

/** Opening applies flows, limits and topology; a difference in anything else is refused by name (protocol 24). */
const checkUnchanged = (mob: string, stored: Definition, given: Definition) => {
  const differences: Array<string> = []
  const profiles = new Map(stored.profiles)
  for (const [name, profile] of given.profiles) {
    const before = profiles.get(name)
    profiles.delete(name)
    if (before === undefined || !equals(before as Json, profile as Json)) differences.push(`profile ${name}`)
  }
  for (const name of profiles.keys()) differences.push(`profile ${name}`)
  const members = new Map(stored.members.map((it) => [it.identity, it]))
  for (const member of given.members) {
    const before = members.get(member.identity)
    members.delete(member.identity)
    if (before === undefined || canonical({ ...before }) !== canonical({ ...member })) {
      differences.push(`member ${member.identity}`)
    }
  }
  for (const identity of members.keys()) differences.push(`member ${identity}`)
  return differences.length === 0 ? Effect.void : Effect.fail(new E.DefinitionChanged({ mob, differences }))
}

const startFailed = (mob: string) => (failed: SpawnFailed): CommandError =>
  new E.MobClosed({ mob, reason: `its cells could not be started: ${failed.message}` })

/** A UUID from Effect's Random, so that a seeded test has the same ids each time. */
const nextUuid: Effect.Effect<string> = Effect.map(Random.Random, (random) => {
  const bytes = Array.from({ length: 16 }, () => Math.floor(random.nextDoubleUnsafe() * 256))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
})

const sha256 = (text: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    (digest) => Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
  )
