/**
 * Refusals of a mob: each code is an error of `core/mob/errors.ts` in snake case, its facts are that error's fields.
 */
import type { Fence, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Refusal } from "../protocol.ts"
import type { MobState } from "./state.ts"

const refusal = (code: string, message: string, facts: Readonly<Record<string, Json>>): Refusal => ({
  refused: true,
  code,
  message,
  facts
})

/** The phase does not allow it. On a destroyed mob the pair is destroyed, destroyed. */
export const invalidTransition = (state: MobState, to: string, reason?: string): Refusal => {
  const facts = { mob: state.mob_id, from: state.phase, to: state.phase === "destroyed" ? "destroyed" : to }
  return refusal("invalid_transition", `mob ${state.mob_id} cannot go from ${facts.from} to ${facts.to}`, {
    ...facts,
    ...(reason === undefined ? {} : { reason })
  })
}

export const mobExists = (mob: MobId): Refusal => refusal("mob_exists", `mob ${mob} exists`, { mob })

export const mobNotFound = (): Refusal => refusal("mob_not_found", "the mob has no facts yet", {})

export const memberNotFound = (state: MobState, identity: Identity): Refusal =>
  refusal("member_not_found", `no member ${identity}`, { mob: state.mob_id, identity })

export const memberExists = (state: MobState, identity: Identity): Refusal =>
  refusal("member_exists", `member ${identity} exists`, { mob: state.mob_id, identity })

export const memberRetiring = (state: MobState, identity: Identity): Refusal =>
  refusal("member_retiring", `member ${identity} is retiring`, { mob: state.mob_id, identity })

export const memberBroken = (state: MobState, identity: Identity, reason: string): Refusal =>
  refusal("member_broken", `member ${identity} is broken`, { mob: state.mob_id, identity, reason })

export const identityReserved = (identity: Identity): Refusal =>
  refusal("identity_reserved", `identity ${identity} is reserved`, { identity })

/** Another run holds the key. No error of a user: `runFlow` answers that run. */
export const runExists = (run_id: RunId, finished: boolean): Refusal =>
  refusal("run_exists", `run ${run_id} holds this key`, { run_id, finished })

/** The incarnation was replaced meanwhile. No error of a user: the adapter takes the process down. */
export const staleFence = (identity: Identity, fence: Fence, current: Fence): Refusal =>
  refusal("stale_fence", `fence ${fence} of member ${identity} was replaced`, { identity, fence, current })
