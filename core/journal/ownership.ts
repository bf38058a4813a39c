/**
 * Which mobs there are and who owns each: numbers and epochs as of the batch that is being made, and as of the last one
 * that is durable.
 */
import { OwnerFenced } from "../../sdk/store.ts"
import type { Group, OwnedLog, Waiting } from "./group.ts"
import { mobKey } from "./keys.ts"
import { isThere, type Registered, sealMob } from "./registry.ts"

/** The mobs of one opening of a database. */
export class Ownership {
  /** As of what is composed. */
  readonly #composed: Map<string, Registered>
  /** Follows it when a batch is durable. */
  readonly #durable: Map<string, Registered>
  /** Who may write each mob. */
  readonly #owners: Map<string, OwnedLog>
  /** Highest number ever given to a mob. */
  #lastNumber = 0

  constructor(mobs: ReadonlyMap<string, Registered>, owners: ReadonlyMap<string, OwnedLog>) {
    this.#composed = new Map(mobs)
    this.#durable = new Map(mobs)
    this.#owners = new Map(owners)
    for (const { mobNo } of mobs.values()) this.#lastNumber = Math.max(this.#lastNumber, mobNo)
  }

  /** The mobs as they are on disk, with those that were destroyed. */
  get mobs(): ReadonlyMap<string, Registered> {
    return this.#durable
  }

  /** This log may write its mob from here on. */
  own(log: OwnedLog): void {
    this.#owners.set(log.mob, log)
  }

  /** Why this log may not write its mob; undefined if it may. */
  refusal(log: OwnedLog): OwnedLog["ended"] {
    if (this.#owners.get(log.mob) === log) return undefined
    const { epoch, mob } = log
    return log.ended ?? new OwnerFenced({ mob, ours: epoch, current: this.#composed.get(mob)?.epoch ?? epoch })
  }

  acquire(group: Group, waiting: Extract<Waiting, { type: "acquire" }>): void {
    const { done, mob } = waiting
    const last = this.#composed.get(mob)
    if (last?.destroyed === "begun") {
      // It has no owner before what is left of it is gone.
      group.releases.push({ waiting, refused: true, tell: () => done(last) })
      return
    }
    const mobNo = isThere(last) ? last.mobNo : ++this.#lastNumber
    const registered = { mobNo, epoch: (last?.epoch ?? 0) + 1 }
    this.#register(group, mob, registered)
    group.releases.push({ waiting, refused: false, tell: () => done(registered) })
  }

  /** The first step of destroying: from here on the mob is not there. */
  destroy(group: Group, waiting: Extract<Waiting, { type: "destroy" }>): void {
    const { done, mob } = waiting
    let registered = this.#composed.get(mob)
    if (isThere(registered)) {
      registered = { mobNo: registered.mobNo, epoch: registered.epoch + 1, destroyed: "begun" }
      this.#register(group, mob, registered)
    }
    const known = registered
    group.releases.push({ waiting, refused: false, tell: () => done(known) })
  }

  /** The steps that follow; the last one says that it is done. */
  erase(group: Group, waiting: Extract<Waiting, { type: "erase" }>): void {
    const { done, keys, last, mob, mobNo } = waiting
    const registered = this.#composed.get(mob)
    // Else another call has finished it.
    if (registered?.mobNo === mobNo && registered.destroyed === "begun") {
      for (const key of keys) group.operations.push({ type: "del", key })
      group.removes = true
      if (last) this.#register(group, mob, { ...registered, destroyed: "done" })
    }
    group.releases.push({ waiting, refused: false, tell: () => done() })
  }

  /** The group is durable. */
  landed(group: Group): void {
    for (const [mob, registered] of group.registered) this.#durable.set(mob, registered)
  }

  #register(group: Group, mob: string, registered: Registered): void {
    this.#composed.set(mob, registered)
    group.registered.push([mob, registered])
    // From here on what the earlier owner submitted is refused: the epoch is compared where the batch is made.
    this.#owners.delete(mob)
    group.operations.push({ type: "put", key: mobKey(mob), value: sealMob(mob, registered) })
  }
}
