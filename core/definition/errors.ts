/** What loading a definition can fail with. */
import { Schema } from "effect"

/** The definition has errors; nothing was created. */
export class DefinitionInvalid extends Schema.TaggedError<DefinitionInvalid>()("DefinitionInvalid", {
  /** The file. */
  source: Schema.String,
  /** All findings, warnings too. */
  diagnostics: Schema.Array(Schema.Struct({
    code: Schema.String,
    message: Schema.String,
    location: Schema.optionalKey(Schema.String),
    severity: Schema.Literals(["error", "warning"])
  }))
}) {
  /** Stable code of this error. */
  readonly code = "DEFINITION_INVALID"
  override get message() {
    const errors = this.diagnostics.filter((it) => it.severity === "error")
    return `${this.source}: `
      + errors.map((it) => `${it.code}: ${it.message}${it.location ? ` (at ${it.location})` : ""}`).join("; ")
  }
}

/** The definition's file could not be read. */
export class DefinitionUnreadable extends Schema.TaggedError<DefinitionUnreadable>()("DefinitionUnreadable", {
  path: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "DEFINITION_UNREADABLE"
  override get message() {
    return `the definition ${this.path} cannot be read: ${this.reason}`
  }
}
