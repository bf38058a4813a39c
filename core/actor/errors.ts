/**
 * What speaking to a cell, or starting one, can fail with.
 *
 * From a durable cell `ActorStopped`, `ActorCrashed` and `AskTimeout` mean that the outcome is unknown: the step may be
 * committed all the same.
 */
import { Schema } from "effect"

const { Cause, Int, String, Unknown } = Schema

const AnyCause = Cause(Unknown, Unknown)

/** The cell has stopped, or stopped before it handled the message. */
export class ActorStopped extends Schema.TaggedError<ActorStopped>()("ActorStopped", {
  /** Name of the cell. */
  actor: String,
  /** Its path, such as `/c3/k/c17`. */
  path: String
}) {
  /** Stable code of this error. */
  readonly code = "ACTOR_STOPPED"
  override get message() {
    return `${this.actor} (${this.path}) has stopped and handles no more messages; look up or start another one`
  }
}

/** The cell crashed while it held this message. Supervision decides whether it starts again; the message is not handled again. */
export class ActorCrashed extends Schema.TaggedError<ActorCrashed>()("ActorCrashed", {
  actor: String,
  path: String,
  /** Why the incarnation ended. */
  cause: AnyCause
}) {
  /** Stable code of this error. */
  readonly code = "ACTOR_CRASHED"
  override get message() {
    return `${this.actor} (${this.path}) crashed while it held this message; see the cause, then ask again if that is safe`
  }
}

/** No answer within the deadline. A later answer is dropped. */
export class AskTimeout extends Schema.TaggedError<AskTimeout>()("AskTimeout", {
  actor: String,
  path: String,
  /** The deadline that passed, in milliseconds. */
  timeout: Schema.Number
}) {
  /** Stable code of this error. */
  readonly code = "ASK_TIMEOUT"
  override get message() {
    return `${this.actor} (${this.path}) did not answer within ${this.timeout} ms; it may still handle the message`
  }
}

/** The mailbox is full, and its overflow policy is not to wait. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  actor: String,
  path: String,
  /** How many messages the mailbox holds at most. */
  capacity: Int
}) {
  /** Stable code of this error. */
  readonly code = "MAILBOX_FULL"
  override get message() {
    return `the mailbox of ${this.actor} (${this.path}) holds ${this.capacity} messages and is full; send less, or later`
  }
}

/** The cell did not start: its `init` failed, or its parent is ending. Nothing of it is left. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", {
  actor: String,
  /** The failure of `init`, or why the parent takes no children. */
  cause: AnyCause
}) {
  /** Stable code of this error. */
  readonly code = "SPAWN_FAILED"
  override get message() {
    return `${this.actor} did not start; see the cause`
  }
}

/** The cell was not up within its `startTimeout`: `children` or `init` hung. What had started of it was stopped. */
export class StartTimeout extends Schema.TaggedError<StartTimeout>()("StartTimeout", {
  actor: String,
  path: String,
  /** The deadline that passed, in milliseconds. */
  timeout: Schema.Number
}) {
  /** Stable code of this error. */
  readonly code = "START_TIMEOUT"
  override get message() {
    return `${this.actor} (${this.path}) was not up within ${this.timeout} ms; find what its init waits for, or give it a longer startTimeout`
  }
}

/** One thing that is wrong with the spec of a cell, or of one below it. */
export const SpecProblem = Schema.Struct({
  /** Which cell and which field, such as `shop > clerk: supervision.period`. */
  where: Schema.String,
  problem: Schema.String
})

/** The spec of a cell breaks the rules of supervision. Nothing was started. */
export class SpecInvalid extends Schema.TaggedError<SpecInvalid>()("SpecInvalid", {
  actor: String,
  problems: Schema.Array(SpecProblem)
}) {
  /** Stable code of this error. */
  readonly code = "SPEC_INVALID"
  override get message() {
    const list = this.problems.map(({ where, problem }) => `${where}: ${problem}`).join("; ")
    return `the spec of ${this.actor} is wrong; mend it: ${list}`
  }
}
