/** What the members of the newsroom do: plain Effect programs. */
import { Effect, Schema } from "effect"
import { Behavior } from "mobwright/sdk"

/** A writer was asked for nothing. */
class NoTopic extends Schema.TaggedError<NoTopic>()("NoTopic", {}) {
  readonly code = "NO_TOPIC"
  override get message() {
    return "a writer needs a topic"
  }
}

/** Writes one line on a topic; fails, with a code that its caller sees, when there is none. */
export const write = Behavior.make("write", {
  run: (topic) =>
    topic.trim() === "" ? Effect.fail(new NoTopic()) : Effect.succeed(`All you need to know about ${topic}.`)
})

/** Joins drafts; takes a JSON array of strings. */
export const edit = Behavior.make("edit", {
  input: Schema.Array(Schema.String),
  run: (drafts) => Effect.succeed(drafts.map((draft, index) => `${index + 1}. ${draft}`).join("\n"))
})
