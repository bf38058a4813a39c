/**
 * What may happen to a cell while it has messages, in each of the ways it does.
 */
import { Cause, Effect, Exit } from "effect"
import type { ActorRef, CellContext, Dispatcher, Supervision } from "../../../core/actor/index.ts"
import { advance, type VirtualTime } from "../../../core/testing/index.ts"
import type { Place } from "./fates.ts"
import { type Gate, type Life, PATIENT, type Task } from "./fixtures.ts"

/** Of the mailbox. */
export const CAPACITY = 16
const BACKOFF = 1_000

/** Those whom something happens among. */
export interface World {
  readonly ref: ActorRef<Task>
  readonly parent: ActorRef<never>
  /** Of the first life. */
  readonly context: CellContext<Task>
  readonly sibling: CellContext<Task>
  readonly gate: Gate
}

/** One way in which something happens to a cell. */
export interface Way {
  readonly supervision?: Supervision
  readonly restart?: "permanent" | "temporary"
  /** The message in front of all: being handled, by a turn that waits at the gate, or the next to be taken. */
  readonly held: "waits" | "next"
  /** What handling it is then. */
  readonly run?: (life: Life, world: World) => Effect.Effect<void, unknown>
  /** Makes it happen, unless `run` does. */
  readonly happen?: (world: World) => Effect.Effect<void>
  /** When somebody tells now: as the incarnation ends, or when that is over. */
  readonly tells: "as it ends" | "afterwards"
  /** What else there is to do before one looks. */
  readonly finish?: (world: World) => Effect.Effect<void>
  /** Lets a cell go on that only paused. */
  readonly goOn?: (world: World) => Effect.Effect<void, never, Dispatcher | VirtualTime>
}

/** Something that may happen. */
export interface Happening {
  readonly ways: Readonly<Record<string, Way>>
  /** Where no message can be when it happens. */
  readonly never: ReadonlyArray<Place>
}

const openGate = ({ gate }: World) => Effect.sync(gate.open)
const crashSibling = ({ sibling }: World) => Effect.sync(() => sibling.crash(Cause.fail("boom")))
const start = (effect: Effect.Effect<void>) => Effect.asVoid(Effect.forkChild(effect, { startImmediately: true }))
const stop = ({ ref }: World) => start(ref.stop())
const drain = ({ ref }: World) => start(ref.stop({ drain: true }))
const passBackoff = () => advance(BACKOFF)
const resume = ({ context }: World) =>
  Effect.sync(() => {
    context.unstash()
    context.resume()
  })

const grouped = (strategy: Supervision["strategy"]): Supervision => ({ ...PATIENT, strategy })
const delayed = (supervision: Supervision): Supervision => ({
  ...supervision,
  backoff: { initial: BACKOFF, max: BACKOFF, jitter: 0, reset: 1 }
})

const FAILS_AT_ONCE = { held: "next", run: () => Exit.fail("boom") } as const
const FAILS_LATER = { held: "waits", run: () => Effect.fail("boom"), happen: openGate } as const
const CRASHED_BY_ANOTHER = {
  held: "waits",
  happen: ({ context }: World) => Effect.sync(() => context.crash(Cause.fail("boom")))
} as const

const crashRestarted: Happening = {
  never: [],
  ways: {
    "it fails at once": { ...FAILS_AT_ONCE, tells: "as it ends" },
    "it throws": {
      held: "next",
      run: () => {
        throw new Error("boom")
      },
      tells: "as it ends"
    },
    "it fails later": { ...FAILS_LATER, tells: "as it ends" },
    "it dies later": { held: "waits", run: () => Effect.die("boom"), happen: openGate, tells: "as it ends" },
    "another crashes it": { ...CRASHED_BY_ANOTHER, tells: "as it ends" },
    "a fork of its fails": {
      held: "waits",
      happen: ({ context }) => Effect.sync(() => context.fork(Effect.andThen(Effect.yieldNow, Effect.fail("boom")))),
      tells: "as it ends"
    }
  }
}

const crashGone: Happening = {
  never: [],
  ways: {
    "it fails at once, temporary": { ...FAILS_AT_ONCE, restart: "temporary", tells: "afterwards" },
    "it fails later, temporary": { ...FAILS_LATER, restart: "temporary", tells: "afterwards" },
    "another crashes it, temporary": { ...CRASHED_BY_ANOTHER, restart: "temporary", tells: "afterwards" },
    "once too often": {
      ...FAILS_LATER,
      supervision: { ...PATIENT, intensity: 0, counted: "each" },
      tells: "afterwards"
    },
    "once too often, with its parent": {
      ...FAILS_LATER,
      supervision: { ...PATIENT, intensity: 0 },
      tells: "afterwards"
    }
  }
}

const endRestarted: Happening = {
  never: [],
  ways: {
    "at once": { held: "next", run: ({ context }) => Exit.succeed(context.end()), tells: "as it ends" },
    "with shutdown": { held: "next", run: ({ context }) => Exit.succeed(context.end("shutdown")), tells: "as it ends" },
    "later": {
      held: "waits",
      run: ({ context }) => Effect.sync(() => context.end()),
      happen: openGate,
      tells: "as it ends"
    },
    "in the middle of a message": {
      held: "waits",
      run: ({ context }) => Effect.andThen(Effect.sync(() => context.end()), Effect.yieldNow),
      happen: openGate,
      tells: "as it ends"
    }
  }
}

const siblingsRestart: Happening = {
  never: [],
  ways: {
    "one for all": { held: "waits", supervision: grouped("one_for_all"), happen: crashSibling, tells: "as it ends" },
    "rest for one": { held: "waits", supervision: grouped("rest_for_one"), happen: crashSibling, tells: "as it ends" },
    "the sibling ended": {
      held: "waits",
      supervision: grouped("one_for_all"),
      happen: ({ sibling }) => Effect.sync(() => sibling.end()),
      tells: "as it ends"
    }
  }
}

const backoff: Happening = {
  never: ["being handled", "asked, taken", "from a timer", "Terminated"],
  ways: {
    "it failed at once": {
      ...FAILS_AT_ONCE,
      supervision: delayed(PATIENT),
      tells: "afterwards",
      goOn: passBackoff
    },
    "it failed later": { ...FAILS_LATER, supervision: delayed(PATIENT), tells: "afterwards", goOn: passBackoff },
    "a sibling crashed": {
      held: "waits",
      supervision: delayed(grouped("one_for_all")),
      happen: crashSibling,
      tells: "afterwards",
      goOn: passBackoff
    }
  }
}

const stopped: Happening = {
  never: [],
  ways: {
    "by another": { held: "waits", happen: stop, tells: "as it ends" },
    "by another, told too late": { held: "waits", happen: stop, tells: "afterwards" },
    "by its own turn": {
      held: "waits",
      run: (_, { ref }) => Effect.andThen(ref.stop(), Effect.never),
      happen: openGate,
      tells: "as it ends"
    },
    "by its parent's stop": { held: "waits", happen: ({ parent }) => start(parent.stop()), tells: "as it ends" }
  }
}

const drained: Happening = {
  never: [],
  ways: {
    "amid a turn": { held: "waits", run: () => Effect.yieldNow, happen: drain, tells: "afterwards", finish: openGate },
    "told too late": { held: "waits", run: () => Effect.void, happen: drain, tells: "as it ends", finish: openGate },
    "by its own turn": {
      held: "waits",
      run: (_, { ref }) => ref.stop({ drain: true }),
      happen: openGate,
      tells: "afterwards"
    },
    "before a turn": { held: "next", run: () => Exit.void, happen: drain, tells: "afterwards" }
  }
}

const suspended: Happening = {
  never: [],
  ways: {
    "at once": {
      held: "next",
      run: ({ context }) => Exit.succeed(context.suspend()),
      tells: "afterwards",
      goOn: resume
    },
    "later": {
      held: "waits",
      run: ({ context }) => Effect.sync(() => context.suspend()),
      happen: openGate,
      tells: "afterwards",
      goOn: resume
    },
    "by another": {
      held: "waits",
      run: () => Effect.yieldNow,
      happen: (world) => Effect.andThen(Effect.sync(() => world.context.suspend()), openGate(world)),
      tells: "afterwards",
      goOn: resume
    }
  }
}

/** All of them, by the names that the table of the actor layer gives them. */
export const HAPPENINGS: Readonly<Record<string, Happening>> = {
  "crash, restarted": crashRestarted,
  "crash, gone": crashGone,
  "end, restarted": endRestarted,
  "sibling's restart": siblingsRestart,
  "back-off": backoff,
  "stop": stopped,
  "drain": drained,
  "suspended": suspended
}
