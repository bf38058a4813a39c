/**
 * A bridge for tests whose members can lose, repeat and answer late. Everything a member does is done by the test, or by
 * `answer`, which a member asks for each delivery.
 */
import { Effect, Schema, Scope } from "effect"
import type { BindRequest, BridgeEvent, Delivery, Known, MemberBridge, Outcome } from "mobwright/sdk"
import { BindFailed, ReapFailed } from "mobwright/sdk"

/** An incarnation as the test sees it. */
export interface FakeIncarnation {
  readonly identity: string
  readonly generation: number
  readonly fence: number
  readonly delivered: Array<Delivery>
  readonly settled: Array<string>
  alive: boolean
  readonly emit: (event: BridgeEvent) => void
}

/** What becomes of a delivery: an output now, or nothing until the test says so. */
export type Answer = (delivery: Delivery, incarnation: FakeIncarnation) => string | Outcome | undefined

export const completed = (output: string): Outcome => ({ status: "completed", output })

/** All members of a test. */
export class FakeMembers {
  readonly incarnations: Array<FakeIncarnation> = []
  /** Turns that were finished, in order; one that died halfway is none. */
  readonly executed: Array<{ readonly input: string; readonly identity: string; readonly fence: number }> = []
  /** Outcomes each identity keeps until settled, across incarnations if `durable`. */
  readonly kept = new Map<string, Map<string, Outcome>>()
  answer: Answer = (delivery) => `done ${String(delivery.content)}`
  /** Binds that fail, by identity: the reason. */
  readonly refuseBind = new Map<string, string>()
  /** What comes before a bind, by identity: it may wait, fail or die. */
  readonly beforeBind = new Map<string, (emit: (event: BridgeEvent) => void) => Effect.Effect<void, BindFailed>>()
  /** What comes before a delivery is taken: it may wait or die. */
  beforeDeliver: (delivery: Delivery) => Effect.Effect<void> = () => Effect.void
  readonly keeping: "none" | "memory" | "durable"
  private readonly lifetime: "host" | "remote"
  private readonly processes: boolean
  /** Members whose processes do not die when the next host asks them to. */
  readonly unkillable = new Set<string>()

  constructor(
    options: {
      readonly keeping?: "none" | "memory" | "durable"
      readonly lifetime?: "host" | "remote"
      readonly processes?: boolean
    } = {}
  ) {
    this.processes = options.processes ?? false
    this.keeping = options.keeping ?? "memory"
    this.lifetime = options.lifetime ?? "host"
  }

  /** The newest incarnation of a member. */
  of(identity: string): FakeIncarnation {
    const found = this.incarnations.filter((it) => it.identity === identity).at(-1)
    if (found === undefined) throw new Error(`no incarnation of ${identity}`)
    return found
  }

  /** Deliveries a member got, over all its incarnations. */
  deliveries(identity: string): ReadonlyArray<Delivery> {
    return this.incarnations.filter((it) => it.identity === identity).flatMap((it) => it.delivered)
  }

  /** The member ends a turn. */
  end(identity: string, input: string, outcome: Outcome | string): void {
    const incarnation = this.of(identity)
    this.finish(incarnation, input, typeof outcome === "string" ? completed(outcome) : outcome)
  }

  /** The member's process is gone. */
  crash(identity: string, code = "member_exited"): void {
    const incarnation = this.of(identity)
    incarnation.alive = false
    if (this.keeping !== "durable") this.kept.delete(identity)
    incarnation.emit({ type: "exited", exit: { code, message: "killed by the test", log: ["last words"] } })
  }

  private finish(incarnation: FakeIncarnation, input: string, outcome: Outcome) {
    const { fence, identity } = incarnation
    const kept = this.kept.get(identity) ?? new Map<string, Outcome>()
    // A turn that was finished and is kept is not run again; what a member that keeps nothing runs again counts again.
    if (!kept.has(input)) this.executed.push({ input, identity, fence })
    if (this.keeping !== "none") this.kept.set(incarnation.identity, kept.set(input, outcome))
    // The sdk's input ids are brands of what the runtime gave the member.
    const known = this.deliveries(incarnation.identity).find((it) => it.input === input)
    if (known !== undefined) incarnation.emit({ type: "turn_ended", input: known.input, outcome })
  }

  /** The bridge to give to a runtime. */
  get bridge(): MemberBridge<{ readonly note?: string }> {
    return {
      id: "fake",
      config: Schema.Struct({ note: Schema.optionalKey(Schema.String) }),
      lifetime: this.lifetime,
      bind: (request, emit) => this.bind(request, emit),
      reap: ({ pid }) =>
        this.unkillable.has(this.incarnations[pid - 1]?.identity ?? "")
          ? Effect.fail(new ReapFailed({ pid, reason: "it will not die" }))
          : Effect.void
    }
  }

  private bind(request: BindRequest<unknown>, emit: (event: BridgeEvent) => void) {
    const { fence, generation, identity } = request
    const refusal = this.refuseBind.get(identity)
    if (refusal !== undefined) {
      return Effect.fail(new BindFailed({ identity, cause_code: "refused", reason: refusal, log: [] }))
    }
    const incarnation: FakeIncarnation = { identity, generation, fence, delivered: [], settled: [], alive: true, emit }
    const pid = this.incarnations.push(incarnation)
    const observed = [...(this.kept.get(identity) ?? new Map<string, Outcome>())].flatMap(
      ([input, outcome]): Array<Known> => {
        const known = this.deliveries(identity).find((it) => it.input === input)
        return known === undefined ? [] : [{ input: known.input, state: "ended", outcome }]
      }
    )
    return Effect.gen({ self: this }, function*() {
      const before = this.beforeBind.get(identity)
      if (before !== undefined) yield* before(emit)
      yield* Scope.addFinalizer(yield* Scope.Scope, Effect.sync(() => incarnation.alive = false))
      return {
        outcomes: this.keeping,
        process: this.processes ? { pid, pgid: pid, start_ticks: pid, boot_id: "boot" } : undefined,
        observed,
        deliver: (delivery: Delivery) =>
          Effect.map(this.beforeDeliver(delivery), () => {
            if (!incarnation.alive) return "accepted" as const
            const again = incarnation.delivered.some((it) => it.input === delivery.input)
              || this.kept.get(identity)?.has(delivery.input) === true
            incarnation.delivered.push(delivery)
            const kept = this.kept.get(identity)?.get(delivery.input)
            if (kept !== undefined) emit({ type: "turn_ended", input: delivery.input, outcome: kept })
            if (again) return "deduplicated" as const
            const answer = this.answer(delivery, incarnation)
            if (answer !== undefined) {
              this.finish(incarnation, delivery.input, typeof answer === "string" ? completed(answer) : answer)
            }
            return "accepted" as const
          }),
        settled: (input: string) =>
          Effect.sync(() => {
            incarnation.settled.push(input)
            this.kept.get(identity)?.delete(input)
          }),
        interrupt: () => Effect.void,
        cancel: () => Effect.void,
        retire: Effect.void
      }
    })
  }
}
