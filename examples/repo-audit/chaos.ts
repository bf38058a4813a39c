/**
 * Chaos: a bridge around a bridge, made with nothing but the published contract. It kills members for real, at moments
 * of the protocol: after an input was accepted, or before its outcome is passed on. What happens when follows from the
 * seed and each member's own deliveries.
 *
 * An outcome of a doomed input never gets through, so its run cannot end before the crash is in the event log.
 */
import { Clock, Effect } from "effect"
import type { BridgeEvent, Delivery, MemberBridge } from "mobwright/sdk"

/** Kills of one member within {@link PERIOD}: its supervisor gives up after five. */
const KILLS_A_PERIOD = 3
/** Milliseconds. */
const PERIOD = 60_000
/** Kills over one input; the fifth redelivery would be its last. */
const KILLS_AN_INPUT = 2
/** A member dies every so many deliveries at most, while kills are left. */
const LONGEST_GAP = 4
/** Kills that chaos does in all. */
export const KILLS = 5

/** Numbers from 0 to 1 that follow from a seed: mulberry32. */
export const randomOf = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A seed of its own for each member: FNV-1a of its name, over the seed. */
const seedOf = (seed: number, identity: string): number =>
  [...identity].reduce(
    (hash, character) => Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619),
    2_166_136_261 ^ seed
  )

type Moment = "after_accepted" | "before_ended"

/** What chaos knows of one member, across its incarnations. */
interface Victim {
  readonly random: () => number
  /** Deliveries until the next one that dooms it. */
  gap: number
  readonly killedAt: Array<number>
  readonly perInput: Map<string, number>
}

/**
 * Wraps a bridge whose members are child processes. Kills {@link KILLS} times in all; `kill` ends a process
 * group. The wrapped bridge keeps its id, so that a definition needs no change.
 */
export const chaotic = <Config>(
  bridge: MemberBridge<Config>,
  options: { readonly seed: number; readonly kill: (pgid: number) => void }
): MemberBridge<Config> => {
  const victims = new Map<string, Victim>()
  let kills = 0
  const victimOf = (identity: string): Victim => {
    const known = victims.get(identity)
    if (known !== undefined) return known
    const random = randomOf(seedOf(options.seed, identity))
    const victim: Victim = { random, gap: 1 + Math.floor(random() * LONGEST_GAP), killedAt: [], perInput: new Map() }
    victims.set(identity, victim)
    return victim
  }
  /** Whether, and when, this delivery dooms the member. Counts it. */
  const doom = (victim: Victim, input: string, now: number): Moment | undefined => {
    if (kills >= KILLS || --victim.gap > 0) return undefined
    const recent = victim.killedAt.filter((at) => now - at < PERIOD).length
    const overInput = victim.perInput.get(input) ?? 0
    if (recent >= KILLS_A_PERIOD || overInput >= KILLS_AN_INPUT) return undefined
    victim.gap = 1 + Math.floor(victim.random() * LONGEST_GAP)
    victim.killedAt.push(now)
    victim.perInput.set(input, overInput + 1)
    kills++
    return victim.random() < 0.5 ? "after_accepted" : "before_ended"
  }
  return {
    id: bridge.id,
    config: bridge.config,
    lifetime: bridge.lifetime,
    ...bridge.reap === undefined ? {} : { reap: bridge.reap },
    bind: Effect.fnUntraced(function*(request, emit) {
      const clock = yield* Clock.Clock
      const victim = victimOf(request.identity)
      const doomed = new Map<string, Moment>()
      let pgid: number | undefined
      const strike = () => {
        if (pgid !== undefined) options.kill(pgid)
      }
      const pass = (event: BridgeEvent) => {
        const moment = event.type === "turn_ended" ? doomed.get(event.input) : undefined
        if (moment === undefined) emit(event)
        else if (moment === "before_ended") strike()
      }
      const connection = yield* bridge.bind(request, pass)
      pgid = connection.process?.pgid
      // Field by field: a connection may keep its methods on a prototype, where a spread does not see them.
      return {
        outcomes: connection.outcomes,
        process: connection.process,
        observed: connection.observed,
        deliver: Effect.fnUntraced(function*(delivery: Delivery) {
          const moment = pgid === undefined || doomed.size > 0
            ? undefined
            : doom(victim, delivery.input, clock.currentTimeMillisUnsafe())
          if (moment !== undefined) doomed.set(delivery.input, moment)
          const answer = yield* connection.deliver(delivery)
          if (moment === "after_accepted") strike()
          return answer
        }),
        settled: (input) => connection.settled(input),
        interrupt: (input) => connection.interrupt(input),
        cancel: (input) => connection.cancel(input),
        retire: connection.retire
      }
    })
  }
}
