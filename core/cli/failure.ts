/**
 * How a command ends other than well: a code, one or two lines for people, and the exit code for scripts.
 */
import { Cause, Data, Exit } from "effect"

/** Exit codes of `mob`. */
export const ExitCode = {
  done: 0,
  /** The run failed or was canceled, or the mob does not take the command. */
  failed: 1,
  /** Bad usage, or an invalid definition. */
  usage: 2,
  /** The store is held by somebody whose socket does not answer, or cannot be read. */
  store: 3,
  interrupted: 130
} as const

/** A command that did not do what it was asked. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  /** Stable, upper snake case. */
  readonly code: string
  /** What happened and what to do; one or two lines. */
  readonly text: string
  readonly exit: number
}> {
  override get message() {
    return this.text
  }
}

/** Bad usage. */
export const usage = (code: string, text: string): CommandFailed =>
  new CommandFailed({ code, text, exit: ExitCode.usage })

const exits: { readonly [code: string]: number } = {
  DEFINITION_INVALID: ExitCode.usage,
  DEFINITION_UNREADABLE: ExitCode.usage,
  DEFINITION_CHANGED: ExitCode.usage,
  BRIDGE_INVALID: ExitCode.usage,
  DATA_FOLDER_UNUSABLE: ExitCode.usage,
  FLOW_NOT_FOUND: ExitCode.usage,
  RUN_NOT_FOUND: ExitCode.usage,
  MOB_NOT_FOUND: ExitCode.usage,
  ORCHESTRATOR_MISSING: ExitCode.usage,
  STALE_EVENT_CURSOR: ExitCode.usage,
  HISTORY_PRUNED: ExitCode.usage,
  STORE_LOCKED: ExitCode.store,
  STORE_CORRUPTED: ExitCode.store,
  SCHEMA_UNSUPPORTED: ExitCode.store,
  OWNER_FENCED: ExitCode.store
}

/** A failure under a code of ours, such as one that came over the control socket. */
export const failure = (code: string, text: string): CommandFailed =>
  new CommandFailed({ code, text, exit: exits[code] ?? ExitCode.failed })

/** Any typed failure of the runtime: it has a stable code, and a message that says what to do. */
export interface Coded {
  readonly code: string
  readonly message: string
}

/** A failure of the runtime as a command's. */
export const failed = (error: Coded): CommandFailed =>
  error instanceof CommandFailed ? error : failure(error.code, error.message)

/** What a cause comes to: the first failure, else a defect under the code INTERNAL. */
const failureOfCause = (cause: Cause.Cause<unknown>): CommandFailed => {
  const error = Cause.squash(cause)
  if (error instanceof CommandFailed) return error
  if (error instanceof Error && "code" in error && typeof error.code === "string" && Cause.hasFails(cause)) {
    return failure(error.code, error.message)
  }
  const text = `${
    error instanceof Error ? error.message : String(error)
  }; this is a defect of mob: please report it, with what MOB_DEBUG=1 shows`
  return new CommandFailed({ code: "INTERNAL", text, exit: ExitCode.failed })
}

/** How a process ends: its exit code, and what it says on stderr before. */
export interface End {
  readonly exit: number
  readonly text: string
}

/** The end that a command's exit comes to. With `json`, a failure is one JSON document with `code` and `message`. */
export const endOf = (exit: Exit.Exit<unknown, unknown>, json: boolean): End => {
  if (Exit.isSuccess(exit)) return { exit: ExitCode.done, text: "" }
  if (Cause.hasInterruptsOnly(exit.cause)) return { exit: ExitCode.interrupted, text: "" }
  const { code, exit: exitCode, text } = failureOfCause(exit.cause)
  return { exit: exitCode, text: json ? `${JSON.stringify({ code, message: text })}\n` : `mob: ${text} [${code}]\n` }
}
