/**
 * Behaviours: what a local member does with an input, written as an Effect program.
 *
 * A behaviour is a value with a name. What goes in and out is described by Schemas, so that a member that is given
 * nonsense fails its turn with a code instead of crashing. The same value runs in this process (the `local` bridge) or
 * as a child process of its own (`runMember`).
 *
 * ```ts
 * const shout = Behavior.make("shout", { run: (text) => Effect.succeed(text.toUpperCase()) })
 * ```
 */
import { Cause, Effect, Exit, Result, Schema } from "effect"
import { type Content, textOf } from "./content.ts"
import { exitOf } from "./exit.ts"
import type { Fence, InputId } from "./ids.ts"
import type { Json } from "./json.ts"
import type { Outcome } from "./outcome.ts"

const TypeId = "~mobwright/Behavior"

/** What a behaviour knows of the turn it is in. Valid until the turn ends. */
export interface Turn {
  readonly inputId: InputId
  readonly fence: Fence
  /** The message as it came, blocks that are not text included. */
  readonly content: Content
  /** What {@link Turn.once} remembered for this input in earlier deliveries. */
  readonly memos: { readonly [key: string]: Json }
  /**
   * Gives what was remembered under `key`, or runs the effect. What the effect gives must be JSON. A boundary: a turn
   * that was asked to stop at its next boundary stops here. So far nothing new is remembered: a redelivered turn has
   * the memos that the runtime sends with it, and today that is none.
   */
  readonly once: <A extends Json, E, R>(key: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Tells that the turn goes on, with a note for people. A boundary, as {@link Turn.once} is. */
  readonly progress: (note: string) => Effect.Effect<void>
}

/**
 * A behaviour that needs the services `R`. Made by {@link Behavior.make}; the types of its input, output and errors
 * are closed over.
 */
export interface Behavior<out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  /** Runs one turn. Typed failures are failed outcomes; a defect is left to the caller. */
  readonly perform: (turn: Turn) => Effect.Effect<Outcome, never, R>
}

/** What a behaviour is made of. */
export interface BehaviorOptions<I, A, E, R> {
  /**
   * What the behaviour takes. If the Schema's encoded side is a string it decodes the message's text; else the text
   * is parsed as JSON first. Default: the text.
   */
  readonly input?: Schema.Codec<I, unknown>
  /**
   * What the behaviour gives. A value that encodes to a string is the outcome's text; any other JSON is its
   * structured value, and its JSON text the text. Default: strings and JSON as they are.
   */
  readonly output?: Schema.Codec<A, unknown>
  /**
   * Does the work. A failure ends the turn as failed: its code is the error's `code`, or `behavior_failed`. A defect
   * ends it with `behavior_crashed`. Interruption (`cancel`) ends it as canceled once the effect has let go.
   */
  readonly run: (input: I, turn: Turn) => Effect.Effect<A, E, R>
}

const failed = (code: string, reason: string): Outcome => ({ status: "failed", code, reason })

const property = (error: unknown, name: string): string | undefined => {
  const value: unknown = typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined
  return typeof value === "string" && value !== "" ? value : undefined
}

/** How an error reads for people: its message, or itself as text. */
export const reasonOf = (error: unknown): string => property(error, "message") ?? String(error)

const completed = (value: unknown): Outcome => {
  if (typeof value === "string") return { status: "completed", output: value }
  // A value that is no JSON has no text (undefined, a function) or throws (a cycle, a BigInt).
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    return failed("output_invalid", `the output is not JSON: ${reasonOf(error)}`)
  }
  if (text === undefined) return { status: "completed", output: "" }
  return { status: "completed", output: text, structured: JSON.parse(text) as Json }
}

const decoderOf = <I>(schema: Schema.Codec<I, unknown>): (content: Content) => Result.Result<I, string> => {
  const decode = Schema.decodeUnknownResult(schema)
  const plain = Schema.toEncoded(schema).ast._tag === "String"
  return (content) => {
    const text = textOf(content)
    let value: unknown = text
    if (!plain) {
      try {
        value = JSON.parse(text)
      } catch {
        // A text that is not JSON may still be what the Schema takes, such as one of its literals.
      }
    }
    return Result.mapError(decode(value), reasonOf)
  }
}

const encoderOf = <A>(schema: Schema.Codec<A, unknown>): (value: A) => Outcome => {
  const encode = Schema.encodeUnknownResult(schema)
  return (value) =>
    Result.match(encode(value), {
      onFailure: (error) => failed("output_invalid", `the output is not as declared: ${reasonOf(error)}`),
      onSuccess: completed
    })
}

/** Whether a value is a {@link Behavior}, also one made by another copy of this package. */
const isBehavior = (value: unknown): value is Behavior<unknown> =>
  typeof value === "object" && value !== null && Reflect.get(value, TypeId) === TypeId

function make<A = Json, E = never, R = never, I = string>(
  name: string,
  options: BehaviorOptions<I, A, E, R>
): Behavior<R> {
  const { input, output } = options
  // Without an input Schema the parameter of `run` is the text, by the default of I.
  const decode = input === undefined ? (content: Content) => Result.succeed(textOf(content) as I) : decoderOf(input)
  const encode: (value: A) => Outcome = output === undefined ? completed : encoderOf(output)

  const conclude = (exit: Exit.Exit<A, E>): Exit.Exit<Outcome> => {
    if (Exit.isSuccess(exit)) return Exit.succeed(encode(exit.value))
    const error = Cause.findError(exit.cause)
    if (Result.isFailure(error)) return Exit.failCause(error.failure)
    const code = property(error.success, "code") ?? "behavior_failed"
    return Exit.succeed(failed(code, reasonOf(error.success)))
  }

  return {
    [TypeId]: TypeId,
    name,
    perform: (turn) => {
      const decoded = decode(turn.content)
      if (Result.isFailure(decoded)) {
        return Exit.succeed(failed("input_invalid", `the message is not what ${name} takes: ${decoded.failure}`))
      }
      const effect = options.run(decoded.success, turn)
      // An effect that has ended already needs no fiber, here or in the member that runs it.
      const exit = exitOf(effect)
      return exit === undefined ? Effect.flatMap(Effect.exit(effect), conclude) : conclude(exit)
    }
  }
}

/** Making and recognising behaviours. */
export const Behavior = {
  /** Makes a behaviour. The name is for people; profiles find it by the name it is registered under, or by its file. */
  make,
  isBehavior
}
