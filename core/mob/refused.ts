/**
 * From what a cell answers to what a caller sees: refusals of machines become typed errors, lost turns say that their
 * outcome is unknown.
 */
import type { Effect } from "effect"
import type { StoreError } from "../../sdk/store.ts"
import type { ActorCrashed, ActorStopped, AskTimeout, MailboxFull } from "../actor/index.ts"
import { causeText } from "../journal/aggregate.ts"
import type { Abandoned } from "../journal/durable.ts"
import type { Refusal } from "../machine/protocol.ts"
import * as E from "./errors.ts"
import type { CommandFailed } from "./messages.ts"
import type { CommandError } from "./types.ts"

/** Errors that a refusal of a mob's or an inbox's machine can become. */
export type Refused =
  | E.InvalidTransition
  | E.MemberNotFound
  | E.MemberExists
  | E.MemberRetiring
  | E.MemberBroken
  | E.IdentityReserved
  | E.MobExists
  | E.MobNotFound

/** A refusal's facts are the fields of its error. */
const refusedError = (refusal: Refusal): Refused => {
  const text = (key: string) => String(refusal.facts[key] ?? "")
  const mob = text("mob")
  const identity = text("identity")
  switch (refusal.code) {
    case "invalid_transition": {
      const reason = refusal.facts["reason"]
      const facts = { mob, from: text("from"), to: text("to") }
      return new E.InvalidTransition(typeof reason === "string" ? { ...facts, reason } : facts)
    }
    case "member_not_found":
      return new E.MemberNotFound({ mob, identity })
    case "member_exists":
      return new E.MemberExists({ mob, identity })
    case "member_retiring":
      return new E.MemberRetiring({ mob, identity })
    case "member_broken":
      return new E.MemberBroken({ mob, identity, reason: text("reason") })
    case "identity_reserved":
      return new E.IdentityReserved({ identity })
    case "mob_exists":
      return new E.MobExists({ mob })
    case "mob_not_found":
      return new E.MobNotFound({ mob })
    default:
      throw new Error(`refusal ${refusal.code} has no error: ${refusal.message}`)
  }
}

/** A turn that was not released: what the store said, or that nobody knows. */
export const abandonedError = (what: string, abandoned: Abandoned): StoreError | E.OutcomeUnknown =>
  abandoned._tag === "StoreFailed"
    ? abandoned.error
    : new E.OutcomeUnknown({
      what,
      reason: abandoned.reason._tag === "Crashed"
        ? `its cell crashed before the answer was safe (${causeText(abandoned.reason.cause)})`
        : "its cell stopped before the answer was safe"
    })

/** What an ask of a durable cell can fail with, as its caller sees it (R2). */
export const askError = (
  mob: string,
  what: string,
  error: CommandFailed | E.MobClosed | ActorStopped | ActorCrashed | AskTimeout | MailboxFull
): CommandError | Refused => {
  switch (error._tag) {
    case "Refused":
      return refusedError(error.refusal)
    case "Lost":
      return abandonedError(what, error.abandoned)
    case "MobClosed":
      return error
    case "ActorStopped":
      return new E.MobClosed({ mob, reason: "it is closing" })
    case "ActorCrashed":
    case "AskTimeout":
    case "MailboxFull":
      return new E.OutcomeUnknown({ what, reason: error.message, cause: error })
  }
}

/**
 * Narrows what a command can be refused with to what its machine refuses it with. Any other refusal means that machine
 * and caller disagree, which a test of every command holds.
 */
export const narrow =
  <Expected extends Refused>() =>
  <A, R>(effect: Effect.Effect<A, CommandError | Refused, R>): Effect.Effect<A, CommandError | Expected, R> =>
    // Refusals are values at run time; which of them a command has is known to its machine, not to the type of `ask`.
    effect as Effect.Effect<A, CommandError | Expected, R>
