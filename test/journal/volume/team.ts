/**
 * A team that writes for ever: a few aggregates that never end, and many that begin, take some turns and end, to be
 * forgotten later. Each turn holds a fact and one event, which says the how-many-th it is: so its number is its cursor.
 */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import type { Cursor } from "../../../sdk/ids.ts"
import type { MobLog, StoredEvent } from "../../../sdk/store.ts"
import { count } from "../logs.ts"

/** Turns of an aggregate that ends. */
export const TURNS = 8
/** Texts that hardly compress; events hold slices of them. */
const TEXTS = 64

interface Member {
  readonly aggregate: string
  revision: number
  readonly ends: boolean
}

const lasting = (name: string): Member => ({ aggregate: name, revision: 0, ends: false })

/** What one event of this many bytes looks like, and its place. */
interface Happened {
  readonly type: "happened"
  readonly number: number
  readonly text: string
}

/** Writes turns, and remembers what must be in the log. */
export class Team {
  /** Turns submitted so far; so many cursors were given. */
  turns = 0
  /** Bytes of facts and events handed over, as JSON. */
  bytes = 0
  /** Aggregates that ended and were not taken by {@link takeEnded}. */
  #ended: Array<string> = []
  readonly #members: Array<Member>
  readonly #byName = new Map<string, Member>()
  readonly #texts: ReadonlyArray<string>
  #runs = 0
  #log: MobLog | undefined
  #seen: Cursor = 0

  constructor(writers: number, lastingOnes: number, eventBytes: number) {
    this.#texts = Array.from(
      { length: TEXTS },
      () => randomBytes(eventBytes).toString("base64url").slice(0, eventBytes)
    )
    this.#members = Array.from(
      { length: writers },
      (_, index) => index < lastingOnes ? this.#join(lasting(`inbox/${index}`)) : this.#begin()
    )
  }

  /** Goes on in this log, which must hold all lasting members as they were left. */
  readonly goOn = (log: MobLog): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function*() {
      this.#log = log
      this.#seen = log.latestCursor()
      if (this.#seen !== this.turns) throw new Error(`the log ends at ${this.#seen}, ${this.turns} were committed`)
      log.listen({ events: this.#hear, headWanted: this.#writeHead })
      for (const member of this.#members) {
        const stands = count(yield* log.load(member.aggregate))
        if (stands !== member.revision) throw new Error(`${member.aggregate} is at ${stands}, not ${member.revision}`)
      }
    })

  /** Takes so many turns, each writer its next one when the one before is committed. Fails unless all were heard. */
  readonly take = (turns: number): Effect.Effect<void, unknown> =>
    this.#takeAll(turns).pipe(
      // Events are told after the last `committed`.
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(Effect.suspend(() =>
        this.#seen === this.turns ? Effect.void : Effect.fail(new Error(`heard ${this.#seen} of ${this.turns}`))
      ))
    )

  #takeAll(turns: number): Effect.Effect<void, unknown> {
    return Effect.callback<void, unknown>((resume) => {
      let left = turns
      let writing = this.#members.length
      const next = (index: number) => {
        if (left-- > 0) this.#turn(index, () => next(index), (error) => resume(Effect.fail(error)))
        else if (--writing === 0) resume(Effect.void)
      }
      this.#members.forEach((_, index) => next(index))
    })
  }

  /** Names of those that ended since the last time. */
  takeEnded(): ReadonlyArray<string> {
    const ended = this.#ended
    this.#ended = []
    return ended
  }

  #begin(): Member {
    return this.#join({ aggregate: `run/${++this.#runs}`, revision: 0, ends: true })
  }

  #join(member: Member): Member {
    this.#byName.set(member.aggregate, member)
    return member
  }

  #turn(index: number, committed: () => void, failed: (error: unknown) => void): void {
    const member = this.#members[index] ?? this.#begin()
    const { aggregate } = member
    const revision = ++member.revision
    const number = ++this.turns
    const event = { type: "happened", number, text: this.#texts[number % TEXTS] ?? "" } as const satisfies Happened
    const fact = { type: "counted", aggregate, revision }
    const terminal = member.ends && revision === TURNS
    this.bytes += JSON.stringify(fact).length + event.text.length + 40
    this.#log?.submit({
      entries: [{
        aggregate,
        revision,
        at: number,
        facts: [fact],
        events: [event],
        snapshot: () => ({ aggregate, count: revision }),
        terminal
      }],
      committed: () => {
        if (terminal) {
          this.#ended.push(aggregate)
          this.#byName.delete(aggregate)
          this.#members[index] = this.#begin()
        }
        committed()
      },
      failed
    })
  }

  readonly #hear = (events: ReadonlyArray<StoredEvent>): void => {
    for (const event of events) {
      this.#seen++
      check(event, this.#seen)
    }
  }

  readonly #writeHead = (aggregate: string): void => {
    const member = this.#byName.get(aggregate)
    if (member === undefined) return
    const { revision } = member
    this.#log?.submit({
      entries: [],
      heads: [{ aggregate, revision, snapshot: () => ({ aggregate, count: revision }) }],
      committed: () => {},
      failed: () => {}
    })
  }
}

/** Throws unless this is the event with that cursor. */
export const check = ({ cursor, event }: StoredEvent, expected: Cursor): void => {
  if (cursor !== expected || event["number"] !== expected) {
    throw new Error(`event ${String(event["number"])} with cursor ${cursor} stands where ${expected} should`)
  }
}
