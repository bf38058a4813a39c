/**
 * Watching the end of another cell: one message to the watcher, with the reason.
 */
import { Envelope, NOTHING } from "./envelope.ts"
import type { StopReason, Terminated } from "./types.ts"

/** A cell, as its watchers see it. */
export interface Watched {
  readonly name: string
  readonly path: string
  /** Why it has ended; undefined if it has not. */
  readonly ended: StopReason | undefined
  /** Who is told; none until the first. */
  watchers: Set<Watch> | undefined
}

/** Who watches: one incarnation. */
interface Watcher {
  readonly accept: (envelope: Envelope) => void
  /** Making the message threw. */
  readonly failed: (defect: unknown) => void
}

/** One watch, and what it comes to. */
export class Watch extends Envelope {
  private readonly watches: Watches
  private readonly target: Watched
  private readonly make: (terminated: Terminated) => unknown
  private message: unknown = undefined

  constructor(watches: Watches, target: Watched, make: (terminated: Terminated) => unknown) {
    super()
    this.watches = watches
    this.target = target
    this.make = make
  }

  /** The target has ended. */
  tell(reason: StopReason): void {
    const { name, path } = this.target
    try {
      this.message = this.make({ name, path, reason })
    } catch (defect) {
      return this.watches.watcher.failed(defect)
    }
    this.watches.watcher.accept(this)
  }

  open(): unknown {
    return this.watches.taken(this, this.target) ? this.message : NOTHING
  }
}

/** What one incarnation watches. */
export class Watches {
  readonly watcher: Watcher
  private readonly byTarget = new Map<Watched, Watch>()

  constructor(watcher: Watcher) {
    this.watcher = watcher
  }

  add(target: Watched, make: (terminated: Terminated) => unknown): void {
    this.remove(target)
    const watch = new Watch(this, target, make)
    this.byTarget.set(target, watch)
    if (target.ended !== undefined) watch.tell(target.ended)
    else (target.watchers ??= new Set()).add(watch)
  }

  remove(target: Watched): void {
    const watch = this.byTarget.get(target)
    if (watch === undefined) return
    this.byTarget.delete(target)
    target.watchers?.delete(watch)
  }

  removeAll(): void {
    for (const [target, watch] of this.byTarget) target.watchers?.delete(watch)
    this.byTarget.clear()
  }

  /** It is opened. False if it was forgotten meanwhile. */
  taken(watch: Watch, target: Watched): boolean {
    if (this.byTarget.get(target) !== watch) return false
    this.byTarget.delete(target)
    return true
  }
}
