/**
 * The vocabulary of the durable protocol: who says what to whom. Plain data, so that a model check can drive the same
 * machines that the actors drive.
 *
 * Owners (runs and inboxes) decide what becomes of an input; the *door* of a member is the only way to its bridge and
 * persists nothing. Messages between two cells arrive in the order sent (R3); no other order is promised.
 */
import type { BridgeExit, Delivery, Known, ProcessRecord } from "../../sdk/bridge.ts"
import type { Fence, Generation, Identity, InputId, RunId } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import type { Outcome } from "../../sdk/outcome.ts"

/** Name of an aggregate: `mob`, `run/<run id>`, `inbox/<identity>`. */
export type Aggregate = "mob" | `run/${string}` | `inbox/${string}`

/** Aggregate that owns inputs. */
export type Owner = `run/${string}` | `inbox/${string}`

export const runAggregate = (run: RunId): `run/${string}` => `run/${run}`
export const inboxAggregate = (identity: Identity): `inbox/${string}` => `inbox/${identity}`

/** The input of a piece of submitted work. */
export const workInput = (identity: Identity, workRef: string): InputId =>
  // Not empty by its form, so the brand's check has nothing to find.
  `inbox/${identity}/${workRef}` as InputId

/** The work reference of an input of this member's inbox; undefined for any other input. */
export const workRefOf = (identity: Identity, input: InputId): string | undefined => {
  const prefix = `inbox/${identity}/`
  return input.startsWith(prefix) ? input.slice(prefix.length) : undefined
}

/** Who owns an input that this member knows: its own inbox, or the run that the input id starts with. */
export const ownerOf = (identity: Identity, input: InputId): Owner => {
  if (input.startsWith(`inbox/${identity}/`)) return `inbox/${identity}`
  const end = input.indexOf("/")
  return `run/${end < 0 ? input : input.slice(0, end)}`
}

/** What an owner hands to a door, and tells again at every start until the input is closed. The bridge gets it as it is. */
export type Dispatch = Delivery

/** What the door knows of an input when its member has a new incarnation. */
export type KnownFate =
  | { readonly state: "outcome"; readonly outcome: Outcome }
  | { readonly state: "running" }
  | { readonly state: "nothing" }

/** To a member's door. */
export type ToDoor =
  /** From an owner: deliver this. Also its claim after a start: what is held or running answers, nothing runs twice. */
  | { readonly type: "dispatch"; readonly owner: Owner; readonly dispatch: Dispatch }
  /** From an owner: this turn was left behind (timeout, cancel); committed. */
  | { readonly type: "detach"; readonly owner: Owner; readonly input: InputId }
  /** From an owner: the outcome is committed, or the input is closed; forget it. */
  | { readonly type: "settled"; readonly input: InputId }
  /** From an owner: that outcome came under an old fence. Never means settled. */
  | { readonly type: "stale"; readonly input: InputId; readonly fence: Fence; readonly current: Fence }
  /** From an owner that (re)started: say again what you hold for me. */
  | { readonly type: "owner_started"; readonly owner: Owner }
  /** From the mob, committed: start the incarnation of this generation under this fence. */
  | { readonly type: "incarnate"; readonly generation: Generation; readonly fence: Fence }
  /** From the mob that (re)started: tell again what you need (an incarnation, a retire). */
  | { readonly type: "mob_started" }
  /** From the mob, committed: no more incarnations until told; inputs fail `member_broken`. */
  | { readonly type: "broken"; readonly generation: Generation; readonly reason: string }
  /** From the mob, committed: let go of everything, then say `drained`. */
  | { readonly type: "retire"; readonly generation: Generation }
  /** From the mob, committed: the member is gone; every later dispatch is answered `retiring`. */
  | { readonly type: "retired"; readonly generation: Generation }
  /** From the mob, committed: it is stopped; nothing more is delivered from the inbox, running turns end (R17). */
  | { readonly type: "pause" }
  /** From the mob, committed: it runs again; deliver what waits. */
  | { readonly type: "resume" }
  /** From the member's inbox, committed: it is closed for this generation, and so many of its inputs were abandoned. */
  | { readonly type: "inbox_closed"; readonly abandoned: number }
  /** From the adapter: the incarnation of this fence is up (its process, if any, is recorded). */
  | { readonly type: "connected"; readonly fence: Fence; readonly observed: ReadonlyArray<Known> }
  /** From the adapter: a turn ended on the connection of this fence. */
  | { readonly type: "turn_ended"; readonly fence: Fence; readonly input: InputId; readonly outcome: Outcome }
  /** From the adapter: the incarnation of this fence is no more. */
  | { readonly type: "exited"; readonly fence: Fence; readonly exit: BridgeExit }

/** Why a door does not take an input any more. */
export type RefusalCode = "member_retired" | "member_broken" | "member_unknown"

/** To the owner of an input. */
export type ToOwner =
  | { readonly type: "outcome"; readonly input: InputId; readonly fence: Fence; readonly outcome: Outcome }
  /** The member has a newer incarnation than the dispatch. */
  | { readonly type: "reincarnated"; readonly input: InputId; readonly fence: Fence; readonly known: KnownFate }
  /** The member takes it no more; the owner fails the input (or reassigns an item). */
  | { readonly type: "retiring"; readonly input: InputId; readonly code: RefusalCode; readonly reason: string }
  /** A door (re)started or bound: dispatch again whatever is unfinished with this member. */
  | { readonly type: "who"; readonly identity: Identity }
  /** A detached turn is over, or never began. */
  | { readonly type: "ended"; readonly input: InputId }

/** To the mob, from its cells. */
export type ToMob =
  /** A door has no live incarnation; `fence` is the last it had (0: none since this process opened the mob). */
  | {
    readonly type: "incarnation_lost"
    readonly identity: Identity
    readonly fence: Fence
    readonly exit: BridgeExit | undefined
  }
  /** A child process is up and must be recorded before it is used. */
  | {
    readonly type: "process_started"
    readonly identity: Identity
    readonly fence: Fence
    readonly process: ProcessRecord
  }
  /** A retiring door holds nothing any more. */
  | {
    readonly type: "drained"
    readonly identity: Identity
    readonly generation: Generation
    readonly abandoned: number
  }
  /** A run's terminal fact is committed. */
  | { readonly type: "run_ended"; readonly run: RunId; readonly status: "completed" | "failed" | "canceled" }

/** To the inbox of a member, from its door. */
export type ToInbox =
  /** The member of this generation retires: fail what is unfinished, refuse what comes, answer `inbox_closed`. */
  { readonly type: "close"; readonly generation: Generation }

/** To a run, from its mob. */
export type ToRun =
  /** Committed: it is admitted. Spawn its actor if there is none; a running one ignores this. */
  | { readonly type: "start" }
  /** Committed: the mob is ending. End canceled, if not ended yet. */
  | { readonly type: "cancel" }

/** To the adapter that holds a member's connection. */
export type ToConnection =
  | { readonly type: "bind"; readonly generation: Generation; readonly fence: Fence }
  | { readonly type: "deliver"; readonly dispatch: Dispatch }
  | { readonly type: "settled"; readonly input: InputId }
  /** Retire and close the connection for good. */
  | { readonly type: "close" }

/** An effect of a machine: a message to release after the commit of its turn. */
export type Send =
  | { readonly to: "door"; readonly identity: Identity; readonly message: ToDoor }
  | { readonly to: "owner"; readonly owner: Owner; readonly message: ToOwner }
  | { readonly to: "mob"; readonly message: ToMob }
  | { readonly to: "connection"; readonly identity: Identity; readonly message: ToConnection }
  | { readonly to: "inbox"; readonly identity: Identity; readonly message: ToInbox }
  | { readonly to: "run"; readonly run: RunId; readonly message: ToRun }
  /** All live owners (runs and this member's inbox). */
  | { readonly to: "owners"; readonly message: ToOwner }

/** Phase of a member. */
export type MemberPhase = "active" | "broken" | "retiring" | "retired"

/** One member, as owners see it. */
export interface RosterEntry {
  readonly identity: Identity
  readonly role: string
  readonly phase: MemberPhase
  readonly generation: Generation
  readonly fence: Fence
}

/** The mob's committed roster: immutable, replaced after each sync that changes it. */
export interface RosterView {
  readonly version: number
  readonly members: ReadonlyMap<Identity, RosterEntry>
}

/** A command a machine refuses: nothing happened. `code` is stable. */
export interface Refusal {
  readonly refused: true
  readonly code: string
  readonly message: string
  readonly facts: Readonly<Record<string, Json>>
}

/** What a machine decided: facts to commit, then messages to release. */
export interface Decision<Fact> {
  readonly refused: false
  readonly facts: ReadonlyArray<Fact>
  readonly sends: ReadonlyArray<Send>
}
