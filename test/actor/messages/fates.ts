/**
 * What becomes of messages, found out: what may happen to a cell, where a message may be by then, and what is seen of it
 * afterwards. Nothing here knows what is right.
 */
import { Effect, Exit } from "effect"
import type {
  ActorRef,
  ActorSystemShape,
  CellContext,
  Dispatcher,
  Reply,
  SpawnFailed
} from "../../../core/actor/index.ts"
import { ActorSystem } from "../../../core/actor/index.ts"
import { advance, settle, type VirtualTime } from "../../../core/testing/index.ts"
import {
  act,
  asideOnce,
  ask,
  type Got,
  lettersTo,
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
    const among = yield* spawnAmong(way, places)
    const { log, senders, system, world } = among
    const seen = (): Seen => ({
      log: log.slice(),
      letters: lettersTo(system, world.ref),
      senders: new Map([...senders].map(([text, got]) => [text, got()]))
    })
    yield* putInFront(among, way, places)
    yield* putBehind(among, places)
    if (way.held === "next") world.context.resume()
    if (way.happen !== undefined) yield* way.happen(world)
    yield* settle
    if (places.has("told now") && way.tells === "afterwards") yield* among.tells("told now")
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

/** Those who are there: the cell, those around it, who speaks to it, and what it has written down. */
interface Among {
  readonly world: World
  readonly system: ActorSystemShape
  readonly log: Array<string>
  /** One that the cell may watch. */
  readonly target: ActorRef<Task>
  /** What each sender has got, by the text of its message. */
  readonly senders: Map<string, Got>
  readonly tells: (text: string) => Effect.Effect<Got>
  /** Replies of what was taken and is not answered. */
  readonly owed: Array<Reply<string>>
}

/** What was taken before, what is aside, and the message that is being handled or is the next. */
const putInFront = (
  { log, owed, senders, target, world }: Among,
  way: Way,
  places: ReadonlySet<Place>
): Effect.Effect<void, never, Dispatcher> =>
  Effect.gen(function*() {
    const { context, gate, ref } = world
    if (places.has("asked, taken")) {
      const keep = (reply: Reply<string>) => () => Exit.succeed(void owed.push(reply))
      senders.set("asked, taken", yield* ask(ref, "asked, taken", { run: keep }))
      yield* settle
      log.length = 0
    }
    if (places.has("put aside")) { for (const number of [1, 2]) ref.tellUnsafe(asideOnce(`put aside ${number}`)) }
    yield* settle
    if (places.has("from a timer")) context.setTimer("timer", 1, note("from a timer"))
    if (places.has("Terminated")) context.watch(target, () => note("Terminated"))
    if (way.held === "next") context.suspend()
    const run = way.run ?? (() => Effect.never)
    ref.tellUnsafe({
      text: "being handled",
      run: (life) => way.held === "next" ? run(life, world) : Effect.andThen(gate.wait, () => run(life, world))
    })
    yield* settle
  })

/** What is behind that, and who waits for room. */
const putBehind = (
  { owed, senders, target, tells, world: { ref } }: Among,
  places: ReadonlySet<Place>
): Effect.Effect<void, never, Dispatcher | VirtualTime> =>
  Effect.gen(function*() {
    if (places.has("behind it")) { for (const number of [1, 2]) ref.tellUnsafe(note(`behind it ${number}`)) }
    if (places.has("asked, behind")) senders.set("asked, behind", yield* ask(ref, "asked, behind", { run: answer }))
    if (places.has("asked, taken")) {
      ref.tellUnsafe(act("asked, taken", () => owed.splice(0).forEach((reply) => answer(reply)())))
    }
    yield* advance(1)
    if (places.has("Terminated")) yield* target.stop()
    if (!places.has("waits for room")) return
    // The first of those that wait may come in when the message in front of all is taken.
    for (let waiting = 0, number = 1; waiting < 3 && number < 2 * CAPACITY; number++) {
      const got = yield* tells(waiting < 2 ? `waits for room ${number}` : "waits for room")
      if (got() === WAITS) waiting++
    }
  })

const answer = (reply: Reply<string>) => () => Exit.succeed(reply.done(Exit.succeed("answered")))

/** A parent with a sibling, the cell, and one that it may watch. */
const spawnAmong = (way: Way, places: ReadonlySet<Place>): Effect.Effect<Among, SpawnFailed, ActorSystem> =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const log: Array<string> = []
    const contexts: Array<CellContext<Task>> = []
    const siblings: Array<CellContext<Task>> = []
    const refs: Array<ActorRef<Task>> = []
    const senders = new Map<string, Got>()
    const tells = (text: string) => Effect.tap(tell(refs[1]!, text), (got) => Effect.sync(() => senders.set(text, got)))
    const tellsOnce = () => senders.has("told now") ? Effect.void : Effect.asVoid(tells("told now"))
    const options = {
      mailbox: { capacity: CAPACITY, overflow: "backpressure" as const },
      restart: way.restart ?? "permanent",
      ...(places.has("told now") && way.tells === "as it ends" ? { onStop: tellsOnce } : {})
    }
    const parent = yield* system.spawn(parentOf(way.supervision ?? PATIENT, (context) =>
      Effect.gen(function*() {
        refs.push(yield* context.spawn(scribe([], siblings)))
        refs.push(yield* context.spawn(scribe(log, contexts, options)))
        refs.push(yield* context.spawn(scribe([], [], { restart: "temporary" })))
      })))
    const [, ref, target] = refs as [ActorRef<Task>, ActorRef<Task>, ActorRef<Task>] // pushed above
    const world: World = { ref, parent, context: contexts[0]!, sibling: siblings[0]!, gate: makeGate() }
    return { log, owed: [], senders, system, target, tells, world }
  })
