/**
 * The cell: a mailbox in the tree whose messages a behaviour handles, turn by turn, life by life.
 *
 * A turn calls the behaviour in a plain loop for as long as it answers Exits; from the first effect that is none, the
 * same turn goes on inside one fiber, which ends with the turn. The cell outlives its incarnations: its mailbox, its
 * askers and its references do not notice a restart.
 */
import { Cause, type Context, Effect, Exit, type Fiber } from "effect"
import { Addressee } from "./addressee.ts"
import type { Runnable } from "./dispatcher.ts"
import { ActorCrashed, SpawnFailed } from "./errors.ts"
import { Incarnation } from "./incarnation.ts"
import type { NactRef } from "./nact-tree.ts"
import type { AnySpec, Child, Host, Phase, Shared } from "./parts.ts"
import { DEFAULT_SUPERVISION, Supervisor } from "./supervisor.ts"
import type { ActorRef, CellSpec, StopReason, TreeNode } from "./types.ts"

/** One cell. Its reference is the cell itself; only the types hide the rest. */
export class Cell extends Addressee implements ActorRef<unknown>, Runnable, Child, Host {
  readonly services: Context.Context<never>
  phase: Phase = "starting"
  private readonly parent: Supervisor
  private queued = false
  /** Messages that this turn may still handle. */
  private left = 0
  private current: unknown = undefined
  private incarnation: Incarnation
  private restarts = 0
  private kids: NactRef<never> | undefined = undefined
  private stopping: Fiber.Fiber<void> | undefined = undefined
  /** While it stops with `drain`: ends that. */
  private drained: (() => void) | undefined = undefined
  private row: Child["crashes"] | undefined = undefined
  private times: Array<number> | undefined = undefined

  constructor(
    shared: Shared,
    spec: AnySpec,
    services: Context.Context<never>,
    parent: Supervisor,
    under: NactRef<never>
  ) {
    super(shared, spec, under)
    this.services = services
    this.parent = parent
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

  // Its turn

  turn(limit: number): number {
    this.queued = false
    const { incarnation } = this
    if (!this.handles(incarnation) || incarnation.busy) return 1
    incarnation.busy = true
    const before = this.taken
    this.left = limit
    if (this.advance(incarnation)) this.turnInFiber(incarnation)
    else this.endTurn(incarnation)
    return Math.max(1, this.taken - before)
  }

  schedule(): void {
    const { incarnation } = this
    if (this.queued || incarnation.busy || !this.handles(incarnation)) return
    if (this.mailbox.size > 0) this.ready()
    else this.idle = true
  }

  pause(): void {
    this.idle = false
    this.left = 0
    if (this.phase === "stopping") this.drained?.()
  }

  protected ready(): void {
    this.idle = false
    this.queued = true
    this.shared.dispatcher.enqueue(this)
  }

  private handles(incarnation: Incarnation): boolean {
    return incarnation.live && !incarnation.suspended
      && (this.phase === "running" || (this.phase === "stopping" && this.drained !== undefined))
  }

  /** Handles messages while the behaviour answers Exits; true if `pending` must run in the fiber. */
  private advance(incarnation: Incarnation): boolean {
    const { mailbox, spec } = this
    while (this.left > 0 && mailbox.size > 0) {
      const message = this.take()
      this.left--
      this.current = message
      let effect: Effect.Effect<unknown, unknown>
      try {
        effect = spec.behavior(incarnation.state, message, incarnation)
      } catch (defect) {
        effect = Exit.die(defect)
      }
      if (!Exit.isExit(effect)) {
        incarnation.pending = effect
        return true
      }
      if (effect._tag === "Success") incarnation.state = effect.value
      else this.failed(incarnation, effect.cause)
    }
    return false
  }

  /** The rest of the turn, in one fiber. */
  private turnInFiber(incarnation: Incarnation): void {
    incarnation.loop ??= this.loop(incarnation)
    const fiber = Effect.runForkWith(this.services)(incarnation.loop)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) this.fiberEnded(incarnation, exit)
    else fiber.addObserver((exit) => this.fiberEnded(incarnation, exit))
  }

  private loop(incarnation: Incarnation): Effect.Effect<void, unknown> {
    const turn = Effect.whileLoop({
      while: () => incarnation.pending !== undefined || (incarnation.live && this.advance(incarnation)),
      body: () => {
        // `while` has seen it.
        const pending = incarnation.pending!
        incarnation.pending = undefined
        return pending
      },
      step: (state) => {
        incarnation.state = state
      }
    })
    return Effect.withFiber((fiber) => {
      incarnation.fiber = fiber
      return turn
    })
  }

  private fiberEnded(incarnation: Incarnation, exit: Exit.Exit<void, unknown>): void {
    incarnation.fiber = incarnation.pending = undefined
    // Interruption is neither a failure nor a crash; that of an incarnation that ends is ours.
    if (exit._tag === "Failure" && incarnation.live && !Cause.hasInterruptsOnly(exit.cause)) {
      this.failed(incarnation, exit.cause)
    }
    this.endTurn(incarnation)
  }

  private endTurn(incarnation: Incarnation): void {
    this.current = undefined
    if (incarnation.live && this.spec.afterTurn !== undefined) {
      try {
        this.spec.afterTurn(incarnation.state, incarnation)
      } catch (defect) {
        incarnation.crash(Cause.die(defect))
      }
    }
    incarnation.endTurn()
    if (this.drained !== undefined && (this.mailbox.size === 0 || !this.handles(incarnation))) this.drained()
    if (incarnation === this.incarnation) this.schedule()
  }

  /** The behaviour failed on the current message. */
  private failed(incarnation: Incarnation, cause: Cause.Cause<unknown>): void {
    const message = this.current
    this.lose("crashed", message)
    incarnation.crash(cause)
    this.spec.replyOf?.(message)?.done(Exit.fail(new ActorCrashed({ actor: this.name, path: this.path, cause })))
  }

  // Its lives

  down(reason: StopReason): void {
    this.pause()
    if (reason._tag === "Crashed") {
      const { name: actor, path } = this
      this.answerTaken(() => Exit.fail(new ActorCrashed({ actor, path, cause: reason.cause })))
    }
    if (this.phase === "starting" && reason._tag === "Crashed") this.incarnation.fiber?.interruptUnsafe()
    if (this.phase !== "running") return
    this.phase = "restarting"
    this.parent.report(this, reason)
  }

  /** An `init` that answers an Exit costs no fiber. */
  start(): Effect.Effect<void, Cause.Cause<unknown>> {
    if (this.incarnation.started || !this.incarnation.live) this.incarnation = new Incarnation(this)
    const { incarnation } = this
    this.phase = "starting"
    let init: Effect.Effect<unknown, unknown>
    try {
      init = this.spec.init(incarnation)
    } catch (defect) {
      init = Exit.die(defect)
    }
    if (Exit.isExit(init)) {
      return init._tag === "Success" ? this.begin(incarnation, init.value) : this.abandon(incarnation, init.cause)
    }
    const effect = init
    return Effect.uninterruptibleMask((restore) =>
      Effect.matchCauseEffect(restore(this.initialize(incarnation, effect)), {
        onSuccess: (state) => this.begin(incarnation, state),
        onFailure: (cause) => this.abandon(incarnation, incarnation.cause ?? cause)
      })
    )
  }

  /** Runs `init` in a fiber of its own, as a turn, so that whatever ends the incarnation interrupts it. */
  private initialize(incarnation: Incarnation, init: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return Effect.callback<unknown, unknown>((resume) => {
      incarnation.busy = true
      const fiber = Effect.runForkWith(this.services)(init)
      const ended = (exit: Exit.Exit<unknown, unknown>) => {
        incarnation.fiber = undefined
        incarnation.endTurn()
        resume(exit)
      }
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return ended(exit)
      incarnation.fiber = fiber
      fiber.addObserver(ended)
    })
  }

  halt(reason: StopReason): Effect.Effect<void> {
    if (this.phase === "running") this.phase = "restarting"
    const { incarnation } = this
    return Effect.map(incarnation.close(reason), () => this.answerTaken(() => Exit.fail(this.stopped())))
  }

  countRestart(): void {
    this.restarts++
  }

  private begin(incarnation: Incarnation, state: unknown): Effect.Effect<void, Cause.Cause<unknown>> {
    const { cause, live } = incarnation
    if (cause !== undefined) return this.abandon(incarnation, cause)
    if (this.phase !== "starting" || this.parent.closed) return this.abandon(incarnation, parentEnded())
    incarnation.state = state
    incarnation.started = true
    this.parent.children.add(this)
    this.phase = live ? "running" : "restarting"
    // `init` found that there is nothing to do.
    if (!live) this.parent.report(this, { _tag: "Normal" })
    this.schedule()
    return Effect.void
  }

  private abandon(incarnation: Incarnation, cause: Cause.Cause<unknown>): Effect.Effect<never, Cause.Cause<unknown>> {
    if (this.phase === "starting") this.phase = "restarting"
    return Effect.flatMap(incarnation.close({ _tag: "Crashed", cause }), () => {
      // A first start has no supervision behind it.
      if (!this.parent.children.has(this)) this.dispose()
      return Effect.fail(cause)
    })
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
      if (this.phase === "stopped") return Effect.void
      // Somebody drains, and somebody else does not want to wait for that.
      if (this.phase === "stopping" && !drain) this.drained?.()
      if (this.phase !== "stopping") {
        const fiber = this.shared.fork(this.stopOnce(reason, drain))
        if (fiber.pollUnsafe() === undefined) this.stopping = fiber
      }
      const { stopping } = this
      return stopping === undefined ? Effect.void : Effect.callback<void>((resume) => {
        const forget = stopping.addObserver(() => resume(Effect.void))
        return Effect.sync(forget)
      })
    })
  }

  dispose(): void {
    if (this.phase === "stopped") return
    this.phase = "stopped"
    this.open = this.idle = false
    this.parent.children.delete(this)
    if (this.kids !== undefined) this.shared.tree.remove(this.kids)
    this.shared.tree.remove(this.nact)
    while (this.mailbox.size > 0) {
      const message = this.mailbox.shift()
      this.lose("stopped", message)
      this.spec.replyOf?.(message)?.done(Exit.fail(this.stopped()))
    }
    this.refuseWaiters()
    for (let ask = this.newest; ask !== undefined; ask = this.newest) ask.done(Exit.fail(this.stopped()))
  }

  private stopOnce(reason: StopReason, drain: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { incarnation } = this
      const drains = drain && this.handles(incarnation) && (this.mailbox.size > 0 || incarnation.busy)
      this.open = false
      this.phase = "stopping"
      this.parent.forget(this)
      this.refuseWaiters()
      const close = Effect.flatMap(
        Effect.suspend(() =>
          incarnation.close(incarnation.cause === undefined ? reason : { _tag: "Crashed", cause: incarnation.cause })
        ),
        () => {
          this.dispose()
          return Effect.void
        }
      )
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
      this.drained = () => {
        end()
        resume(Effect.void)
      }
      this.schedule()
      return Effect.sync(end)
    })
    if (shutdown === "infinity") return drained
    return Effect.asVoid(Effect.timeoutOption(drained, shutdown === "brutal" ? 0 : shutdown))
  }

  // Its children

  spawn<S, N, E, R>(incarnation: object, spec: CellSpec<S, N, E, R>): Effect.Effect<ActorRef<N>, SpawnFailed, R> {
    return Effect.suspend(() => {
      const { shared } = this
      const parent = this.incarnation
      if (parent !== incarnation || !parent.live) {
        return Exit.fail(new SpawnFailed({ actor: spec.name, cause: parentEnded() }))
      }
      parent.children ??= new Supervisor({
        shared,
        supervision: this.spec.supervision ?? DEFAULT_SUPERVISION,
        perChild: false,
        escalate: (_, cause) => parent.crash(cause)
      })
      this.kids ??= shared.tree.addNode(this.nact)
      return spawnCell(shared, parent.children, this.kids, spec)
    })
  }

  /** The cell and what is below it, as data. */
  inspect(): TreeNode {
    const { incarnation, name, path, phase } = this
    const children = [...incarnation.children?.children ?? []].map((child) => child.inspect())
    const { size: mailbox } = this.mailbox
    const running = incarnation.suspended ? "suspended" : "running"
    const status = phase === "running"
      ? running
      : phase === "stopping" || phase === "stopped"
      ? "stopping"
      : "restarting"
    return { name, path, status, mailbox, processed: this.taken, restarts: this.restarts, children }
  }
}

const parentEnded = () => Cause.die(new Error("it was stopped while it started, or its parent has ended"))

/** Makes a cell under `parent` and starts it in the calling fiber, whose services it keeps. */
export const spawnCell = <S, M, E, R>(
  shared: Shared,
  parent: Supervisor,
  under: NactRef<never>,
  spec: CellSpec<S, M, E, R>
): Effect.Effect<ActorRef<M>, SpawnFailed, R> =>
  Effect.withFiber((fiber) => {
    const refused = (cause: Cause.Cause<unknown>) => Exit.fail(new SpawnFailed({ actor: spec.name, cause }))
    if (parent.closed) return refused(parentEnded())
    // The layer below is blind to state and messages; the reference's type says what goes in.
    const cell = new Cell(shared, spec as unknown as AnySpec, fiber.context, parent, under)
    return Effect.matchEffect(cell.start(), {
      onFailure: refused,
      onSuccess: () => Exit.succeed<ActorRef<M>>(cell)
    })
  })

/**
 * The nact reference of a cell. What a nact program dispatches to it enters the cell's mailbox, as a tell does; after
 * the cell's end nact drops it silently.
 */
export const nactRef = <M>(ref: ActorRef<M>): NactRef<M> => {
  if (!(ref instanceof Cell)) throw new TypeError(`${ref.name} is not a cell of this actor layer`)
  return ref.nact as NactRef<M> // nact's references carry no message at run time
}
