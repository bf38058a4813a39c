/**
 * Real child processes for tests: binding them, waiting for what they say, and looking at who is left of a group.
 */
import { Effect, Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { subprocessBridge, type SubprocessConfig } from "../../plugins/subprocess/index.ts"
import type { BridgeEvent, Delivery, MemberConnection, ProcessRecord } from "../../sdk/bridge.ts"
import { Identity, InputId, MobId } from "../../sdk/ids.ts"
import { BUFFER_LIMIT, ByteBudget } from "../../sdk/protocol/index.ts"

export const base = resolve(import.meta.dirname, "members")

export const delivery = (input: string, content = input): Delivery => ({
  input: InputId.make(input),
  fence: 7,
  content,
  deadline: undefined,
  overlay: undefined,
  memos: {}
})

/** Pids of the living of a group, read from /proc without the code under test. */
export const alive = (pgid: number): ReadonlyArray<number> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const [state, , group] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? []
      return state !== "Z" && Number(group) === pgid
    } catch {
      return false
    }
  })

/** What a test holds of one member. */
export interface Bound {
  readonly connection: MemberConnection
  readonly record: ProcessRecord
  readonly events: ReadonlyArray<BridgeEvent>
  /** Awaits the first event that the predicate takes, one that came before included. */
  readonly until: {
    <Event extends BridgeEvent>(is: (event: BridgeEvent) => event is Event): Effect.Effect<Event>
    (is: (event: BridgeEvent) => boolean): Effect.Effect<BridgeEvent>
  }
}

export const isExited = (event: BridgeEvent) => event.type === "exited"
export const isTurnEnded = (event: BridgeEvent) => event.type === "turn_ended"

/** Binds a member; its budget is checked when the Scope closes, and that nobody of its group is left. */
export const bindChild = (config: SubprocessConfig, folder: string = base) =>
  Effect.gen(function*() {
    const events: Array<BridgeEvent> = []
    const listeners = new Set<(event: BridgeEvent) => void>()
    const budget = new ByteBudget()
    let pgid = 0
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (pgid !== 0 && alive(pgid).length > 0) throw new Error(`${alive(pgid)} of group ${pgid} are left`)
        if (budget.peak > BUFFER_LIMIT) throw new Error(`${budget.peak} bytes were kept`)
        if (budget.used !== 0) throw new Error(`${budget.used} bytes were not given back`)
      })
    )
    const bound = subprocessBridge({ budget: () => budget }).bind({
      mob: MobId.make("m"),
      identity: Identity.make("a"),
      role: "r",
      generation: 1,
      fence: 7,
      labels: {},
      config,
      base: folder
    }, (event) => {
      events.push(event)
      for (const listener of listeners) listener(event)
    })
    const scope = yield* Scope.fork(yield* Effect.scope)
    const connection = yield* Effect.provideService(bound, Scope.Scope, scope)
    if (connection.process === undefined) throw new Error("a child has no record")
    pgid = connection.process.pgid
    const until: Bound["until"] = (is: (event: BridgeEvent) => boolean) =>
      Effect.callback<never>((resume) => {
        const listener = (event: BridgeEvent) => {
          // The predicate has narrowed it, which only its caller's overload knows.
          if (is(event)) resume(Effect.succeed(event as never))
        }
        events.forEach(listener)
        listeners.add(listener)
        return Effect.sync(() => listeners.delete(listener))
      })
    const made: Bound & { readonly scope: Scope.Closeable; readonly budget: ByteBudget } = {
      connection,
      record: connection.process,
      events,
      until,
      scope,
      budget
    }
    return made
  })

/** Configuration of a member of `members/hostile.mjs`, with short timeouts. */
export const hostile = (habit: string, more: Partial<SubprocessConfig> = {}): SubprocessConfig => ({
  command: [process.execPath, "hostile.mjs", habit],
  stop_timeout_ms: 300,
  ...more
})
