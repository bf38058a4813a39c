/**
 * What becomes of messages, found out: what may happen to a cell, where a message may be by then, and what is seen of it
 * afterwards. Nothing here knows what is right.
 */
import { Effect, Exit } from "effect"
import type { ActorRef, CellContext, Dispatcher, Reply, SpawnFailed } from "../../../core/actor/index.ts"
import { ActorSystem } from "../../../core/actor/index.ts"
import { advance, settle, type VirtualTime } from "../../../core/testing/index.ts"
import {
  act,
  asideOnce,
  ask,
  type Got,
  makeGate,
  note,
  parentOf,
  PATIENT,
  scribe,
  type Task,
  tell,
  WAITS
} from "./fixtures.ts"
import { CAPACITY, type Way, type World } from "./happenings.ts"

/** Where a message may be, in the order in which a cell would come to them. */
export const PLACES = [
  "being handled",
  "put aside",
  "behind it",
  "asked, behind",
  "asked, taken",
  "from a timer",
  "Terminated",
  "waits for room",
  "told now"
] as const
export type Place = typeof PLACES[number]

/** What one cell and those around it have come to. */
interface Seen {
  /** `life text`, in order. */
  readonly log: ReadonlyArray<string>
  readonly letters: ReadonlyArray<string>
  readonly senders: ReadonlyMap<string, string>
}

/** What is seen of one message: once, as it should be, or a list that no table has. */
const fateOf = (text: string, before: Seen, after: Seen): string => {
  const letters = after.letters.filter((it) => it.endsWith(` ${text}`)).map((it) => it.slice(0, -text.length - 1))
  const sender = after.senders.get(text)
  const refused = sender === "ActorStopped"
  const handled = after.log.flatMap((entry, index) => {
    if (entry.slice(2) !== text) return []
    return index >= before.log.length ? ["kept"] : entry.startsWith("1 ") ? ["handled"] : ["next"]
  })
  const facts = [
    ...handled,
    ...letters.map((reason) => reason === "stopped" && refused ? "refused" : reason),
    ...(refused && letters.length === 0 ? ["refused and no dead letter"] : []),
    ...(sender === WAITS ? ["its sender waits for ever"] : [])
  ]
  return facts.length === 0 ? "forgotten" : facts.join(" and ")
}

const fateOfAsker = (text: string, before: Seen, after: Seen): string => {
  const [first, last] = [before.senders.get(text), after.senders.get(text)]
  if (first !== WAITS) return String(first)
  return last === "answered" ? "waits" : `waits, and then ${last}`
}

/** Messages that are handled must be in the order of the places they were at. */
const disorder = (log: ReadonlyArray<string>): string => {
  const places = log.map((entry) => PLACES.findIndex((place) => entry.slice(2).startsWith(place)))
    .filter((index) => index >= 0)
  return places.some((place, index) => index > 0 && place < places[index - 1]!)
    ? `, out of order: ${log.join("; ")}`
    : ""
}

/**
 * Puts a message at each of `places`, lets it happen, and gives the fate of each. Messages are named after their places;
 * where there may be several there are.
 */
export const fatesOf = (
  way: Way,
  places: ReadonlySet<Place>
): Effect.Effect<ReadonlyMap<Place, string>, SpawnFailed, ActorSystem | Dispatcher | VirtualTime> =>
  Effect.gen(function*() {
    const { letters, log, senders, target, world } = yield* spawnWorld(way, places)
    const { context, ref } = world
    const seen = (): Seen => ({
      log: log.slice(),
      letters: letters(),
      senders: new Map([...senders].map(([text, got]) => [text, got()]))
    })
    const tells = (text: string) => Effect.tap(tell(ref, text), (got) => Effect.sync(() => senders.set(text, got)))

    const kept: Array<Reply<string>> = []
    if (places.has("asked, taken")) {
      // Taken, and still owed when it happens.
      const keep = (reply: Reply<string>) => () => Exit.succeed(void kept.push(reply))
      senders.set("asked, taken", yield* ask(ref, "asked, taken", { run: keep }))
      yield* settle
      log.length = 0
    }
    if (places.has("put aside")) { for (const text of ["put aside 1", "put aside 2"]) ref.tellUnsafe(asideOnce(text)) }
    yield* settle
    if (places.has("from a timer")) context.setTimer("timer", 1, note("from a timer"))
    if (places.has("Terminated")) context.watch(target, () => note("Terminated"))

    if (way.held === "next") context.suspend()
    ref.tellUnsafe({
      text: "being handled",
      run: (life) => {
        const run = way.run ?? (() => Effect.never)
        return way.held === "next" ? run(life, world) : Effect.andThen(world.gate.wait, () => run(life, world))
      }
    })
    yield* settle
    if (places.has("behind it")) { for (const text of ["behind it 1", "behind it 2"]) ref.tellUnsafe(note(text)) }
    if (places.has("asked, behind")) {
      senders.set("asked, behind", yield* ask(ref, "asked, behind", { run: answer }))
    }
    if (places.has("asked, taken")) {
      ref.tellUnsafe(act("asked, taken", () => kept.splice(0).forEach((reply) => reply.done(Exit.succeed("answered")))))
    }
    yield* advance(1)
    if (places.has("Terminated")) yield* target.stop()
    if (places.has("waits for room")) {
      // The first of those that wait may come in when the message in front of all is taken.
      for (let waiting = 0, number = 1; waiting < 3 && number < 2 * CAPACITY; number++) {
        const got = yield* tells(waiting < 2 ? `waits for room ${number}` : "waits for room")
        if (got() === WAITS) waiting++
      }
    }

    if (way.held === "next") context.resume()
    if (way.happen !== undefined) yield* way.happen(world)
    yield* settle
    if (places.has("told now") && way.tells === "afterwards") yield* tells("told now")
    if (way.finish !== undefined) yield* way.finish(world)
    yield* settle
    const before = seen()
    if (way.goOn !== undefined) yield* way.goOn(world)
    yield* settle
    const after = seen()
    return new Map(
      [...places].map((place) => {
        if (place.startsWith("asked")) return [place, fateOfAsker(place, before, after)]
        const texts = place === "behind it" || place === "put aside" ? [`${place} 1`, `${place} 2`] : [place]
        const fates = new Set(texts.map((text) => fateOf(text, before, after)))
        return [place, [...fates].join(" or ") + disorder(after.log)]
      })
    )
  })

const answer = (reply: Reply<string>) => () => Exit.succeed(reply.done(Exit.succeed("answered")))

/** A parent with a sibling, the cell, and one that it may watch. */
const spawnWorld = (way: Way, places: ReadonlySet<Place>) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const log: Array<string> = []
    const contexts: Array<CellContext<Task>> = []
    const siblings: Array<CellContext<Task>> = []
    const refs: Array<ActorRef<Task>> = []
    const senders = new Map<string, Got>()
    const tellsNow = () =>
      senders.has("told now")
        ? Effect.void
        : Effect.map(tell(refs[1]!, "told now"), (got) => void senders.set("told now", got))
    const options = {
      mailbox: { capacity: CAPACITY, overflow: "backpressure" as const },
      restart: way.restart ?? "permanent",
      ...(places.has("told now") && way.tells === "as it ends" ? { onStop: tellsNow } : {})
    }
    const parent = yield* system.spawn(parentOf(way.supervision ?? PATIENT, (context) =>
      Effect.gen(function*() {
        refs.push(yield* context.spawn(scribe([], siblings)))
        refs.push(yield* context.spawn(scribe(log, contexts, options)))
        refs.push(yield* context.spawn(scribe([], [], { restart: "temporary" })))
      })))
    const [, ref, target] = refs as [ActorRef<Task>, ActorRef<Task>, ActorRef<Task>]
    const letters = () =>
      system.deadLetters.last().filter(({ to }) => to === ref.path).map(({ message, reason }) =>
        `${reason} ${(message as Task).text}` // nothing else is sent to a scribe
      )
    const world: World = { ref, parent, context: contexts[0]!, sibling: siblings[0]!, gate: makeGate() }
    return { letters, log, senders, target, world }
  })
