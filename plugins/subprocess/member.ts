/**
 * A Node process as a member: a behaviour served over standard input and output.
 */
import { Context, Effect } from "effect"
import { Console } from "node:console"
import type { Behavior } from "../../sdk/behavior.ts"
import { serveMember } from "../../sdk/member/index.ts"
import { fromStreams } from "../../sdk/protocol/index.ts"

/**
 * Makes this process a member and ends it when its host says so or is gone: with status 0, or 1 if the host broke the
 * protocol. Standard output belongs to the protocol from now on, so `console` and Effect's logger write to standard
 * error, which is the member's log.
 *
 * ```ts
 * runMember(Behavior.make("shout", { run: (text) => Effect.succeed(text.toUpperCase()) }))
 * ```
 */
export function runMember(behavior: Behavior): Promise<never>
export function runMember<R>(behavior: Behavior<R>, services: Context.Context<R>): Promise<never>
export async function runMember<R>(behavior: Behavior<R>, services?: Context.Context<R>): Promise<never> {
  globalThis.console = new Console(process.stderr)
  const serving = Effect.scoped(serveMember(behavior, fromStreams(process.stdin, process.stdout)))
  // Without services there is nothing that the behaviour could need, by the first overload.
  const end = await Effect.runPromise(Effect.provideContext(serving, services ?? Context.empty() as Context.Context<R>))
  process.exit(typeof end === "object" && end.reason === "violation" ? 1 : 0)
}
