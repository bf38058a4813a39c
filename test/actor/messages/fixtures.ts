/**
 * What tests of messages share: a cell whose messages say themselves what is to be done, so that a test reads in the
 * order in which things happen.
 */
import { Effect, Exit, type Fiber } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type ActorSystemShape,
  type CellContext,
  type CellSpec,
  type Reply,
  type SpawnFailed,
  type Supervision,
  type TreeNode
} from "../../../core/actor/index.ts"

/** One life of a scribe, as its messages see it. */
export interface Life {
  readonly context: CellContext<Task>
  /** From 1. */
  readonly number: number
  /** Puts the message that is being handled aside, so that it is not written down. */
  readonly putAside: () => boolean
}

/** A message. */
export interface Task {
  readonly text: string
  /** What handling it is; nothing if it is left out. */
  readonly run?: (life: Life) => Effect.Effect<void, unknown>
}

type ScribeSpec = CellSpec<ScribesLife, Task, unknown, never>

/** A cell that writes down which life has handled what to its end. */
export interface Scribe {
  readonly ref: ActorRef<Task>
  readonly system: ActorSystemShape
  /** `1 text`: handled to its end by the first life. */
  readonly log: Array<string>
  /** The contexts of its lives, oldest first. */
  readonly contexts: ReadonlyArray<CellContext<Task>>
  /** The context of the newest life. */
  readonly context: () => CellContext<Task>
  /** The same of another scribe, that was started before it. */
  readonly sibling: () => CellContext<Task>
  /** See `lettersTo`. */
  readonly letters: () => ReadonlyArray<string>
  /** Itself in the tree. */
  readonly node: () => TreeNode | undefined
}

/** Nothing is ever too often. */
export const PATIENT: Supervision = { strategy: "one_for_one", intensity: Infinity, period: 1 }

/** A parent that starts its children in order, and has nothing else to do. */
export const parentOf = (
  supervision: Supervision,
  start: (context: CellContext<never>) => Effect.Effect<void, SpawnFailed>
): CellSpec<void, never, SpawnFailed, never> => ({
  name: "parent",
  supervision,
  init: start,
  behavior: () => Effect.void
})

class ScribesLife implements Life {
  readonly context: CellContext<Task>
  readonly number: number
  isAside = false

  constructor(context: CellContext<Task>, number: number) {
    this.context = context
    this.number = number
  }

  putAside(): boolean {
    const done = this.context.stash()
    this.isAside ||= done
    return done
  }
}

/** The spec of a scribe, that writes to `log` and `contexts`. */
export const scribe = (
  log: Array<string>,
  contexts: Array<CellContext<Task>>,
  options: Partial<ScribeSpec> = {}
): ScribeSpec => ({
  name: "scribe",
  init: (context) => Effect.succeed(new ScribesLife(context, contexts.push(context))),
  behavior: (life, task) => {
    life.isAside = false
    const end = () => {
      if (!life.isAside) log.push(`${life.number} ${task.text}`)
      return life
    }
    const done = task.run?.(life) ?? Exit.void
    // What costs no fiber is handled without one.
    if (!Exit.isExit(done)) return Effect.map(done, end)
    return Exit.isSuccess(done) ? Exit.succeed(end()) : Exit.failCause(done.cause)
  },
  ...options
})

const inTree = (node: TreeNode, path: string): TreeNode | undefined =>
  node.path === path ? node : node.children.map((it) => inTree(it, path)).find((it) => it !== undefined)

/** Starts a scribe under a parent. */
export const spawnScribe = (
  options: Partial<ScribeSpec> = {},
  supervision: Supervision = PATIENT
): Effect.Effect<Scribe, SpawnFailed, ActorSystem> =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const log: Array<string> = []
    const contexts: Array<CellContext<Task>> = []
    const refs: Array<ActorRef<Task>> = []
    const siblings: Array<CellContext<Task>> = []
    yield* system.spawn(parentOf(supervision, (context) =>
      Effect.gen(function*() {
        yield* context.spawn(scribe([], siblings))
        refs.push(yield* context.spawn(scribe(log, contexts, options)))
      })))
    const ref = refs[0]!
    return {
      ref,
      system,
      log,
      contexts,
      context: () => contexts.at(-1)!,
      sibling: () => siblings.at(-1)!,
      letters: () => lettersTo(system, ref),
      node: () => inTree(system.snapshotTree(), ref.path)
    }
  })

/** `reason text` of the messages that did not reach a scribe, oldest first. */
export const lettersTo = (system: ActorSystemShape, ref: ActorRef<Task>): ReadonlyArray<string> =>
  system.deadLetters.last().filter(({ to }) => to === ref.path).map(({ message, reason }) =>
    `${reason} ${(message as Task).text}` // nothing else is sent to a scribe
  )

/** A message that only is. */
export const note = (text: string): Task => ({ text })

/** One that does something that needs no fiber. */
export const act = (text: string, run: (life: Life) => void): Task => ({
  text,
  run: (life) => {
    run(life)
    return Exit.void
  }
})

/** One that is put aside the first time. */
export const asideOnce = (text: string, before: (life: Life) => void = () => {}): Task => {
  let visits = 0
  return {
    text,
    run: (life) => {
      if (visits++ > 0) return Exit.void
      before(life)
      life.putAside()
      return Exit.void
    }
  }
}

/** One that is put aside each time. */
export const alwaysAside = (text: string): Task => act(text, (life) => void life.putAside())

/** What is put aside comes back. */
export const unstash = (text: string): Task => act(text, ({ context }) => context.unstash())

/** What a turn waits for, until the test opens it. */
export interface Gate {
  readonly wait: Effect.Effect<void>
  readonly open: () => void
}

export const makeGate = (): Gate => {
  const waiting = new Set<() => void>()
  let isOpen = false
  return {
    wait: Effect.callback<void>((resume) => {
      if (isOpen) return resume(Effect.void)
      const go = () => resume(Effect.void)
      waiting.add(go)
      return Effect.sync(() => waiting.delete(go))
    }),
    open: () => {
      isOpen = true
      for (const go of waiting) go()
      waiting.clear()
    }
  }
}

/** What somebody who waits has got: the value, the tag of the error, or nothing yet. */
export type Got = () => string

export const WAITS = "waits"

export const gotOf = (fiber: Fiber.Fiber<string, { readonly _tag: string }>): Got => () => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return WAITS
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? reason.error._tag : reason?._tag ?? "nothing"
}

/** Asks with a task, beside the test. It is answered with `answered <life>` when it is handled, or as `run` will. */
export const ask = (
  ref: ActorRef<Task>,
  text: string,
  options: { readonly timeout?: number; readonly run?: (reply: Reply<string>) => Task["run"] } = {}
): Effect.Effect<Got> => {
  const { run = answerNow, timeout = Infinity } = options
  const make = (reply: Reply<string>): Task => {
    const does = run(reply)
    return does === undefined ? { text } : { text, run: does }
  }
  return Effect.map(Effect.forkDetach(ref.ask(make, timeout), { startImmediately: true }), gotOf)
}

const answerNow = (reply: Reply<string>) => ({ number }: Life) =>
  Exit.succeed(reply.done(Exit.succeed(`answered ${number}`)))

/** For `ask`: put aside the first time, and answered the second time. */
export const answerTheSecondTime = (reply: Reply<string>): Task["run"] => {
  let visits = 0
  return (life) => {
    if (visits++ > 0) return answerNow(reply)(life)
    life.putAside()
    return Exit.void
  }
}

/** Tells, beside the test: `told`, or the tag of the error. */
export const tell = (ref: ActorRef<Task>, text: string): Effect.Effect<Got> =>
  Effect.map(Effect.forkDetach(Effect.as(ref.tell(note(text)), "told"), { startImmediately: true }), gotOf)
