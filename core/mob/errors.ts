/**
 * What a call on a mob can fail with. Each has a stable code, the facts, and says what to do.
 */
import { Schema } from "effect"

const { Array, Int, String, optionalKey } = Schema

/** No mob of this id in the data directory. */
export class MobNotFound extends Schema.TaggedError<MobNotFound>()("MobNotFound", { mob: String }) {
  /** Stable code of this error. */
  readonly code = "MOB_NOT_FOUND"
  override get message() {
    return `there is no mob ${this.mob} here; create it, or look in another data directory`
  }
}

/** A mob of this id exists already. */
export class MobExists extends Schema.TaggedError<MobExists>()("MobExists", { mob: String }) {
  /** Stable code of this error. */
  readonly code = "MOB_EXISTS"
  override get message() {
    return `mob ${this.mob} exists already; open it instead`
  }
}

/** The file differs from what the mob was created with in ways that opening cannot apply. */
export class DefinitionChanged extends Schema.TaggedError<DefinitionChanged>()("DefinitionChanged", {
  mob: String,
  /** Each difference, such as `profile auditor` or `member w-1`. */
  differences: Array(String)
}) {
  /** Stable code of this error. */
  readonly code = "DEFINITION_CHANGED"
  override get message() {
    return `the definition of mob ${this.mob} changed in its ${this.differences.join(", ")}; `
      + "undo that, give the definition another id, or use another data directory"
  }
}

/** A profile names a bridge that is not there, or its configuration does not fit the bridge. */
export class BridgeInvalid extends Schema.TaggedError<BridgeInvalid>()("BridgeInvalid", {
  profile: String,
  bridge: String,
  reason: String
}) {
  /** Stable code of this error. */
  readonly code = "BRIDGE_INVALID"
  override get message() {
    return `profile ${this.profile} cannot use bridge "${this.bridge}": ${this.reason}`
  }
}

/** No member of this identity. */
export class MemberNotFound
  extends Schema.TaggedError<MemberNotFound>()("MemberNotFound", { mob: String, identity: String })
{
  /** Stable code of this error. */
  readonly code = "MEMBER_NOT_FOUND"
  override get message() {
    return `mob ${this.mob} has no member ${this.identity}`
  }
}

/** The identity is taken. */
export class MemberExists
  extends Schema.TaggedError<MemberExists>()("MemberExists", { mob: String, identity: String })
{
  /** Stable code of this error. */
  readonly code = "MEMBER_EXISTS"
  override get message() {
    return `mob ${this.mob} has a member ${this.identity} already; retire it first, or choose another identity`
  }
}

/** The member is on its way out and takes no work. */
export class MemberRetiring
  extends Schema.TaggedError<MemberRetiring>()("MemberRetiring", { mob: String, identity: String })
{
  /** Stable code of this error. */
  readonly code = "MEMBER_RETIRING"
  override get message() {
    return `member ${this.identity} of mob ${this.mob} is retiring and takes no work`
  }
}

/** The member crashed past its limit and takes no work. */
export class MemberBroken extends Schema.TaggedError<MemberBroken>()("MemberBroken", {
  mob: String,
  identity: String,
  reason: String
}) {
  /** Stable code of this error. */
  readonly code = "MEMBER_BROKEN"
  override get message() {
    return `member ${this.identity} of mob ${this.mob} is broken: ${this.reason}; mend the cause, then retire and spawn it again`
  }
}

/** The identity may not be used. */
export class IdentityReserved extends Schema.TaggedError<IdentityReserved>()("IdentityReserved", { identity: String }) {
  /** Stable code of this error. */
  readonly code = "IDENTITY_RESERVED"
  override get message() {
    return `identity ${this.identity} starts with the reserved prefix "__flow_"; choose another`
  }
}

/** The definition has no such profile. */
export class ProfileNotFound
  extends Schema.TaggedError<ProfileNotFound>()("ProfileNotFound", { mob: String, profile: String })
{
  /** Stable code of this error. */
  readonly code = "PROFILE_NOT_FOUND"
  override get message() {
    return `the definition of mob ${this.mob} has no profile ${this.profile}`
  }
}

/** An argument that can be neither stored nor looked up, such as an empty identity or a number that is none. */
export class ArgumentInvalid extends Schema.TaggedError<ArgumentInvalid>()("ArgumentInvalid", {
  /** Name of the argument. */
  argument: String,
  reason: String
}) {
  /** Stable code of this error. */
  readonly code = "ARGUMENT_INVALID"
  override get message() {
    return `${this.argument} cannot be used: ${this.reason}; nothing was done`
  }
}

/** The mob's phase does not allow the command. */
export class InvalidTransition extends Schema.TaggedError<InvalidTransition>()("InvalidTransition", {
  mob: String,
  from: String,
  to: String,
  /** What stands in the way, such as active runs. */
  reason: optionalKey(String)
}) {
  /** Stable code of this error. */
  readonly code = "INVALID_TRANSITION"
  override get message() {
    return `mob ${this.mob} cannot go from ${this.from} to ${this.to}${this.reason ? `: ${this.reason}` : ""}`
  }
}

/** The definition has no such flow. */
export class FlowNotFound extends Schema.TaggedError<FlowNotFound>()("FlowNotFound", {
  mob: String,
  flow: String,
  flows: Array(String)
}) {
  /** Stable code of this error. */
  readonly code = "FLOW_NOT_FOUND"
  override get message() {
    const known = this.flows.length === 0 ? "it has none" : `it has ${this.flows.join(", ")}`
    return `mob ${this.mob} has no flow ${this.flow}; ${known}`
  }
}

/** A topology needs an orchestrator to say from whom work comes. */
export class OrchestratorMissing
  extends Schema.TaggedError<OrchestratorMissing>()("OrchestratorMissing", { mob: String })
{
  /** Stable code of this error. */
  readonly code = "ORCHESTRATOR_MISSING"
  override get message() {
    return `mob ${this.mob} has a topology, and topology requires an orchestrator profile`
  }
}

/** No such run in this mob. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { mob: String, run: String }) {
  /** Stable code of this error. */
  readonly code = "RUN_NOT_FOUND"
  override get message() {
    return `mob ${this.mob} has no run ${this.run}`
  }
}

/** No such piece of submitted work. */
export class WorkNotFound extends Schema.TaggedError<WorkNotFound>()("WorkNotFound", { mob: String, work: String }) {
  /** Stable code of this error. */
  readonly code = "WORK_NOT_FOUND"
  override get message() {
    return `mob ${this.mob} knows no work ${this.work}`
  }
}

/** The mob is closed in this process; its state is on disk as it was. */
export class MobClosed extends Schema.TaggedError<MobClosed>()("MobClosed", { mob: String, reason: String }) {
  /** Stable code of this error. */
  readonly code = "MOB_CLOSED"
  override get message() {
    return `mob ${this.mob} is closed in this process: ${this.reason}; open it again to go on`
  }
}

/** The command may or may not have been committed. Asking again under the same key is safe. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  what: String,
  reason: String,
  cause: optionalKey(Schema.Defect())
}) {
  /** Stable code of this error. */
  readonly code = "OUTCOME_UNKNOWN"
  override get message() {
    return `${this.what}: outcome unknown, because ${this.reason}; ask again under the same key`
  }
}

/** A number in an argument was out of range. */
export class StaleEventCursor extends Schema.TaggedError<StaleEventCursor>()("StaleEventCursor", {
  after: Int,
  latest: Int
}) {
  /** Stable code of this error. */
  readonly code = "STALE_EVENT_CURSOR"
  override get message() {
    return `cursor ${this.after} is past the newest event ${this.latest}; read from there`
  }
}
