/**
 * The story of one incarnation: what it says, why it ended, and whether that is still to be told.
 */
import type { BridgeEvent } from "../../sdk/bridge.ts"
import type { Child, ChildExit } from "./child.ts"
import { MemberLog } from "./log.ts"

/** Why the bridge itself ends a child. */
export interface Verdict {
  readonly code: "protocol_violation" | "member_idle" | "member_exited"
  readonly message: string
}

/** How an end reads for people. */
export const howItEnded = ({ signal, status }: ChildExit): string =>
  signal === null ? `it exited with status ${status}` : `it was ended by ${signal}`

/** Says what is said of one incarnation while that is wanted: nothing before it is bound, no end once it is closing. */
export class Incarnation {
  readonly log = new MemberLog((line) => this.#say({ type: "log", line }))
  readonly #emit: (event: BridgeEvent) => void
  #verdict: Verdict | undefined
  #phase: "binding" | "bound" | "closing" = "binding"

  constructor(emit: (event: BridgeEvent) => void) {
    this.#emit = emit
  }

  /** Why the bridge ended it, if it did. */
  get verdict(): Verdict | undefined {
    return this.#verdict
  }

  bound(): void {
    this.#phase = "bound"
  }

  closing(): void {
    this.#phase = "closing"
  }

  /** An event from the wire. */
  tell(event: BridgeEvent): void {
    if (event.type === "log") this.log.line(event.line)
    else this.#say(event)
  }

  /** Ends the child at once; the first verdict stands. */
  condemn(child: Child, verdict: Verdict): void {
    this.#verdict ??= verdict
    child.signal("SIGKILL")
  }

  /** The child is gone. */
  gone(exit: ChildExit): void {
    if (this.#phase !== "bound") return
    const { code, message } = this.#verdict ?? { code: "member_exited", message: howItEnded(exit) }
    const { last, total } = this.log
    const kept = total > last.length ? `; of the ${total} lines of its log the last ${last.length} are kept` : ""
    this.#emit({ type: "exited", exit: { code, message: message + kept, log: last } })
  }

  #say(event: BridgeEvent): void {
    if (this.#phase !== "binding") this.#emit(event)
  }
}
