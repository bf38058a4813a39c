/**
 * Detached turns of a mob at this moment: turns that outlived their step and may still run. A process counter, rebuilt
 * from the facts of the runs that hold them (R10); nothing of it is stored.
 */
import type { Fence, Identity, InputId } from "../../sdk/ids.ts"
import type { RosterView } from "../machine/protocol.ts"

/** Detached turns at once per mob when the definition does not say. */
export const DEFAULT_ORPHANS = 8

interface Orphan {
  readonly target: Identity
  readonly fence: Fence
}

/** Slots of one mob. A slot is used while its turn is detached, not ended, and under its member's current fence. */
export class OrphanSlots {
  private readonly byRun = new Map<string, ReadonlyMap<InputId, Orphan>>()

  /** Replaces what one run holds; an empty map forgets the run. */
  hold(run: string, orphans: ReadonlyMap<InputId, Orphan>): void {
    if (orphans.size === 0) this.byRun.delete(run)
    else this.byRun.set(run, orphans)
  }

  used(roster: RosterView): number {
    let used = 0
    for (const orphans of this.byRun.values()) {
      for (const orphan of orphans.values()) {
        if (roster.members.get(orphan.target)?.fence === orphan.fence) used += 1
      }
    }
    return used
  }
}
