/**
 * The cell: a mailbox in the tree whose messages a behaviour handles, turn by turn, life by life.
 *
 * The cell outlives its incarnations: its mailbox, its askers and its references do not notice a restart.
 */
import { Cause, type Context, Effect, Exit } from "effect"
import { problemsOf } from "./check.ts"
import { specOf } from "./children.ts"
import { SpawnFailed, SpecInvalid, StartTimeout } from "./errors.ts"
import { Handler } from "./handler.ts"
import { Incarnation } from "./incarnation.ts"
import { type NactRef, SilentNodes } from "./nact-tree.ts"
import type { AnySpec, Child, Host, Shared } from "./parts.ts"
import { DEFAULT_SUPERVISION } from "./supervision.ts"
import { Supervisor } from "./supervisor.ts"
import type { ActorRef, CellSpec, StopReason, TreeNode } from "./types.ts"
import type { Watch, Watched } from "./watch.ts"
import { Overdue } from "./within.ts"

/** How long a start may take, unless its spec says. */
const DEFAULT_START = 30_000

/** One cell. Its reference is the cell itself; only the types hide the rest. */
export class Cell extends Handler implements ActorRef<unknown>, Child, Host, Watched {
  readonly services: Context.Context<never>
  ended: StopReason | undefined = undefined
  watchers: Set<Watch> | undefined = undefined
  protected incarnation: Incarnation
  private readonly parent: Supervisor
  /** Gives its place in nact's tree back. */
  private readonly node: NactRef<never>
  private restarts = 0
  private nodes: SilentNodes | undefined = undefined
  /** Who waits for its end. */
  private waiting: Set<() => void> | undefined = undefined
  private row: Child["crashes"] | undefined = undefined
  private times: Array<number> | undefined = undefined
  private lastFailure: { readonly at: number; readonly cause: Cause.Cause<unknown> } | undefined = undefined

  constructor(
    shared: Shared,
    spec: AnySpec,
    services: Context.Context<never>,
    parent: Supervisor,
    node: NactRef<never>
  ) {
    super(shared, spec, node)
    this.services = services
    this.parent = parent
    this.node = node
    this.incarnation = new Incarnation(this)
  }

  get self(): ActorRef<unknown> {
    return this
  }

  get crashes(): Child["crashes"] {
    return this.row ??= { row: 0, at: -Infinity }
  }

  get restartTimes(): Array<number> {
    return this.times ??= []
  }

  watched(ref: ActorRef<never>): Watched {
    return cellOf(ref)
  }

  // Its lives

  /** A start that only answers Exits costs no fiber. */
  start(): Effect.Effect<void, Cause.Cause<unknown>> {
    if (this.incarnation.started || !this.incarnation.live) this.incarnation = new Incarnation(this)
    const { incarnation } = this
    this.phase = "starting"
    const init = this.spec.children === undefined ? this.init(incarnation) : this.startListed(incarnation)
    if (Exit.isExit(init)) {
      return init._tag === "Success" ? this.begin(incarnation, init.value) : this.abandon(incarnation, init.cause)
    }
    return Effect.uninterruptibleMask((restore) =>
      Effect.matchCauseEffect(restore(this.initialize(incarnation, init)), {
        onSuccess: (state) => this.begin(incarnation, state),
        onFailure: (cause) => this.abandon(incarnation, incarnation.cause ?? cause)
      })
    )
  }

  private init(incarnation: Incarnation): Effect.Effect<unknown, unknown> {
    try {
      return this.spec.init(incarnation)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** Starts the children that the spec lists, in order, then `init`. */
  private startListed(incarnation: Incarnation): Effect.Effect<unknown, unknown> {
    const { children = [] } = this.spec
    const start = Effect.forEach(
      children,
      (child) => {
        const spec = specOf(child)
        // Looked at before the start: see check.ts.
        return spec === undefined
          ? Effect.void
          : Effect.map(incarnation.spawn(spec), (ref) => incarnation.list(child, ref))
      },
      { discard: true }
    )
    return Effect.flatMap(start, () => this.init(incarnation))
  }

  /**
   * Runs `init` in a fiber of its own, as a turn, so that whatever ends the incarnation interrupts it. One that does not
   * end by then is not waited for.
   */
  private initialize(incarnation: Incarnation, init: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return Effect.callback<unknown, unknown>((resume) => {
      const { deadlines } = this.shared
      const { startTimeout = DEFAULT_START } = this.spec
      incarnation.busy = true
      const started = Effect.withFiber((fiber) => {
        incarnation.fiber = fiber
        return init
      })
      const fiber = Effect.runForkWith(this.services)(started)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) {
        incarnation.fiber = undefined
        incarnation.endTurn()
        return resume(exit)
      }
      const overdue = new Overdue(() =>
        incarnation.overdue(
          Cause.fail(new StartTimeout({ actor: this.name, path: this.path, timeout: Number(startTimeout) }))
        )
      )
      if (startTimeout !== "infinity") deadlines.add(overdue, startTimeout)
      incarnation.abort = () => {
        incarnation.abort = undefined
        deadlines.remove(overdue)
        fiber.interruptUnsafe()
        resume(Exit.interrupt())
      }
      fiber.addObserver((exit) => {
        incarnation.fiber = incarnation.abort = undefined
        deadlines.remove(overdue)
        incarnation.endTurn()
        resume(exit)
      })
    })
  }

  private begin(incarnation: Incarnation, state: unknown): Effect.Effect<void, Cause.Cause<unknown>> {
    const { cause, live } = incarnation
    if (cause !== undefined) return this.abandon(incarnation, cause)
    if (this.phase !== "starting" || this.parent.closed) return this.abandon(incarnation, parentEnded())
    incarnation.state = state
    incarnation.started = true
    this.parent.children.add(this)
    const { name, path, shared: { tap } } = this
    if (tap.listening) tap.tell({ _tag: "Started", name, path, incarnation: this.restarts + 1 })
    this.phase = live ? "running" : "restarting"
    // `init` found that there is nothing to do.
    if (!live && incarnation.endedAs !== undefined) this.parent.report(this, incarnation.endedAs)
    this.schedule()
    return Exit.void
  }

  private abandon(incarnation: Incarnation, cause: Cause.Cause<unknown>): Effect.Effect<never, Cause.Cause<unknown>> {
    if (this.phase === "starting") {
      this.phase = "restarting"
      this.noteFailure(cause)
    }
    const reason: StopReason = { _tag: "Crashed", cause }
    const closed = () => {
      // A first start has no supervision behind it.
      if (!this.parent.children.has(this)) this.dispose(reason)
      return Exit.fail(cause)
    }
    const close = incarnation.close(reason)
    return Exit.isExit(close) ? closed() : Effect.flatMap(close, closed)
  }

  escalated(error: unknown): void {
    this.incarnation.crash(Cause.die(error))
  }

  down(reason: StopReason): void {
    const crashed = reason._tag === "Crashed"
    if (this.phase === "starting") {
      // Whoever starts it goes on from here, perhaps at once, with another incarnation.
      if (crashed) this.incarnation.abort?.()
      return
    }
    if (this.phase !== "running" && this.phase !== "stopping") return
    this.halted()
    this.recall()
    if (crashed) this.noteFailure(reason.cause)
    if (this.phase === "running") {
      this.phase = "restarting"
      this.parent.report(this, reason)
    }
    // Last: an asker goes on at once, and may do anything to this cell.
    if (crashed) this.answerTaken(() => Exit.fail(this.crashed(reason.cause)))
    // What drains and crashed is not waited for; the end of a turn that is under way is seen there.
    if (crashed || !this.incarnation.busy) this.drained?.()
  }

  halt(reason: StopReason): Effect.Effect<void> {
    if (this.phase === "running") {
      this.phase = "restarting"
      this.recall()
    }
    const close = this.incarnation.close(reason)
    const halted = () => {
      this.shared.tree.removeGuests(this.nact)
      this.answerTaken(() => Exit.fail(this.stopped()))
    }
    if (!Exit.isExit(close)) return Effect.map(close, halted)
    halted()
    return Exit.void
  }

  countRestart(): void {
    this.restarts++
  }

  willRestart(delay: number): void {
    const { name, path, shared: { tap } } = this
    if (tap.listening) tap.tell({ _tag: "Restarting", name, path, delay })
  }

  private noteFailure(cause: Cause.Cause<unknown>): void {
    const { name, path, shared: { clock, tap } } = this
    this.lastFailure = { at: clock.currentTimeMillisUnsafe(), cause }
    if (tap.listening) tap.tell({ _tag: "Crashed", name, path, cause })
  }

  // Its end

  stop(options?: { readonly drain?: boolean }): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const stop = this.stopAs({ _tag: "Normal" }, options?.drain === true)
      if (fiber !== this.incarnation.fiber) return stop
      // Its own turn would wait for itself.
      this.shared.fork(stop)
      return Effect.void
    })
  }

  stopAs(reason: StopReason, drain: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      // Somebody drains, and somebody else does not want to wait for that.
      if (this.phase === "stopping" && !drain) this.drained?.()
      if (this.phase !== "stopping" && this.phase !== "stopped") this.shared.fork(this.stopOnce(reason, drain))
      return this.isStopped() ? Effect.void : Effect.callback<void>((resume) => {
        const waiting = this.waiting ??= new Set()
        const ended = () => resume(Effect.void)
        waiting.add(ended)
        return Effect.sync(() => void waiting.delete(ended))
      })
    })
  }

  /** A nact program has stopped its actor: that is a stop of the cell. */
  removed(): void {
    if (this.phase !== "stopped") this.shared.fork(this.stopAs({ _tag: "Normal" }, false))
  }

  private isStopped(): boolean {
    return this.phase === "stopped"
  }

  protected turnedBack(): void {
    if (this.isStopped()) this.answerLost(this.loseAll())
  }

  private answerLost(messages: ReadonlyArray<unknown>): void {
    for (const message of messages) this.spec.replyOf?.(message)?.done(Exit.fail(this.stopped()))
    this.answerAll()
  }

  dispose(reason: StopReason): void {
    if (this.phase === "stopped") return
    this.phase = "stopped"
    this.open = this.idle = false
    this.ended = reason
    this.parent.children.delete(this)
    this.nodes?.remove()
    this.shared.tree.remove(this.nact)
    this.parent.left(this.node)
    const lost = this.loseAll()
    const { name, path, shared: { tap }, waiting, watchers } = this
    this.watchers = this.waiting = undefined
    if (watchers !== undefined) { for (const watch of watchers) watch.tell(reason) }
    if (tap.listening) tap.tell({ _tag: "Stopped", name, path, reason })
    // Answers last: whoever gets one goes on at once, perhaps with the end of the parent.
    this.answerLost(lost)
    this.refuseWaiters()
    if (waiting !== undefined) { for (const ended of waiting) ended() }
  }

  private stopOnce(reason: StopReason, drain: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { incarnation } = this
      const drains = drain && this.handles(incarnation) && (this.mailbox.size > 0 || incarnation.busy)
      this.open = false
      this.phase = "stopping"
      this.parent.forget(this)
      this.refuseWaiters()
      const close = Effect.suspend(() => {
        this.recall()
        const { cause, endedAs = reason } = incarnation
        // What it was given up for says more than how it ended last.
        const own = reason._tag === "Crashed" ? reason : endedAs
        const as: StopReason = cause === undefined ? own : { _tag: "Crashed", cause }
        return Effect.map(incarnation.close(as), () => this.dispose(as))
      })
      return drains ? Effect.andThen(this.drain(), close) : close
    })
  }

  private drain(): Effect.Effect<void> {
    const { shutdown = 5_000 } = this.spec
    const drained = Effect.callback<void>((resume) => {
      const end = () => {
        this.drained = undefined
        this.pause()
      }
      const drained = this.drained = () => {
        end()
        resume(Effect.void)
      }
      const { incarnation } = this
      // Refusing those who wait for room may have run the last turn already.
      if (!incarnation.busy && (this.mailbox.size === 0 || !this.handles(incarnation))) return drained()
      this.schedule()
      return Effect.sync(end)
    })
    if (shutdown === "infinity") return drained
    return Effect.asVoid(Effect.timeoutOption(drained, shutdown === "brutal" ? 0 : shutdown))
  }

  // Those below it

  spawn<S, N, E, R>(incarnation: object, spec: CellSpec<S, N, E, R>): Effect.Effect<ActorRef<N>, SpawnFailed, R> {
    return Effect.suspend(() => {
      const { shared } = this
      const parent = this.incarnation
      if (parent !== incarnation || !parent.live) {
        return Exit.fail(new SpawnFailed({ actor: spec.name, cause: parentEnded() }))
      }
      const { supervision = DEFAULT_SUPERVISION } = this.spec
      const nodes = this.nodes ??= new SilentNodes(
        shared.tree,
        this.nact,
        supervision.strategy === "simple_one_for_one"
      )
      const each = (child: Child, cause: Cause.Cause<unknown>) => {
        shared.fork(child.stopAs({ _tag: "Crashed", cause }, false))
      }
      parent.children ??= new Supervisor({
        shared,
        depth: this.parent.depth + 1,
        supervision,
        escalate: supervision.counted === "each" ? each : (_, cause) => parent.crash(cause),
        autoShutdown: () => parent.end("shutdown"),
        left: (node) => nodes.left(node)
      })
      return spawnCell(shared, parent.children, () => nodes.enter(), spec)
    })
  }

  below(): Iterable<Child> {
    return this.incarnation.children?.children ?? []
  }

  inspect(): Omit<TreeNode, "children"> {
    const { depth: mailbox, incarnation, lastFailure, name, path, phase, processed, restarts } = this
    const running = incarnation.suspended ? "suspended" : "running"
    const status = phase === "running"
      ? running
      : phase === "stopping" || phase === "stopped"
      ? "stopping"
      : "restarting"
    const node = { name, path, status, mailbox, processed, restarts } as const
    if (lastFailure === undefined) return node
    const { at, cause } = lastFailure
    return { ...node, lastFailure: { at, message: Cause.prettyErrors(cause)[0]?.message ?? "no cause" } }
  }
}

const parentEnded = () => Cause.die(new Error("it was stopped while it started, or its parent has ended"))

/** Makes a cell under `parent` and starts it in the calling fiber, whose services it keeps. */
export const spawnCell = <S, M, E, R>(
  shared: Shared,
  parent: Supervisor,
  enter: () => NactRef<never>,
  spec: CellSpec<S, M, E, R>
): Effect.Effect<ActorRef<M>, SpawnFailed, R> =>
  Effect.withFiber((fiber) => {
    const actor = String(spec.name)
    const refused = (cause: Cause.Cause<unknown>) => Exit.fail(new SpawnFailed({ actor, cause }))
    if (parent.closed) return refused(parentEnded())
    // The layer below is blind to state and messages; the reference's type says what goes in.
    const blind = spec as unknown as AnySpec
    const problems = problemsOf(blind, parent.supervision)
    if (problems.length > 0) return refused(Cause.fail(new SpecInvalid({ actor, problems })))
    const cell = new Cell(shared, blind, fiber.context, parent, enter())
    return Effect.matchEffect(parent.awaitStart(cell, cell.start()), {
      onFailure: refused,
      onSuccess: () => Exit.succeed<ActorRef<M>>(cell)
    })
  })

/** The cell behind a reference. Throws if it is none of this layer. */
export const cellOf = (ref: ActorRef<never>): Cell => {
  if (!(ref instanceof Cell)) throw new TypeError(`${ref.name} is not a cell of this actor layer`)
  return ref
}

/**
 * The nact reference of a cell. What a nact program dispatches to it enters the cell's mailbox, as a tell does; after
 * the cell's end nact drops it silently.
 */
export const nactRef = <M>(ref: ActorRef<M>): NactRef<M> => cellOf(ref).nact as NactRef<M> // nact's references carry no message at run time
