/**
 * The client's side of the control socket: one connection, greeted, whose calls fail with what a command prints.
 */
import { Effect, Queue, type Scope, Stream } from "effect"
import { createConnection } from "node:net"
import type { JsonObject } from "../../../sdk/json.ts"
import {
  connect,
  type DocumentTooLarge,
  makePeer,
  type PeerClosed,
  type RpcError,
  type SocketLike
} from "../../../sdk/protocol/index.ts"
import type { StoredEvent } from "../../../sdk/store.ts"
import type { TreeNode } from "../../actor/index.ts"
import type { BackupWritten } from "../../journal/copy/index.ts"
import type { MemberView, MobStatus, RunRecord } from "../../mob/index.ts"
import { CommandFailed, ExitCode, failure } from "../failure.ts"
import { clientMethods, CONTROL_PROTOCOL, hostMethods } from "./methods.ts"

/** Milliseconds a host may take to connect and to answer `hello`. */
const HELLO_MILLIS = 3_000

/** A greeted connection to the host of a data directory. */
export interface HostClient {
  readonly pid: number
  /** Mobs that were open there when it was greeted. */
  readonly mobs: ReadonlyArray<string>
  /** Mobs that the directory holds, open or not. */
  readonly stored: Effect.Effect<ReadonlyArray<string>, CommandFailed>
  readonly ps: (mob: string) => Effect.Effect<
    { readonly status: MobStatus; readonly members: ReadonlyArray<MemberView> },
    CommandFailed
  >
  readonly tree: Effect.Effect<TreeNode, CommandFailed>
  readonly runs: (mob: string) => Effect.Effect<ReadonlyArray<RunRecord>, CommandFailed>
  readonly run: (mob: string, run: string) => Effect.Effect<RunRecord, CommandFailed>
  readonly awaitRun: (mob: string, run: string) => Effect.Effect<RunRecord, CommandFailed>
  readonly events: (
    mob: string,
    after: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<StoredEvent>, CommandFailed>
  /** Events after a cursor, then new ones, until the mob closes. One at a time. */
  readonly follow: (mob: string, after: number) => Stream.Stream<StoredEvent, CommandFailed>
  readonly cancel: (mob: string, run: string) => Effect.Effect<RunRecord, CommandFailed>
  readonly runFlow: (request: {
    readonly file: string
    readonly flow: string
    readonly params: JsonObject
    readonly key?: string
  }) => Effect.Effect<
    { readonly mob: string; readonly runId: string; readonly existing: boolean; readonly cursor: number },
    CommandFailed
  >
  /** Writes a backup, of one mob or of all. */
  readonly backup: (request: {
    readonly file: string
    readonly mob?: string
    readonly secrets: boolean
  }) => Effect.Effect<BackupWritten, CommandFailed>
}

const socketTo = (path: string): SocketLike => createConnection(path)

/** Connects and greets. Undefined if nobody answers there in time; fails if whoever answers speaks another protocol. */
export const connectHost = (path: string): Effect.Effect<HostClient | undefined, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const followed = yield* Queue.unbounded<StoredEvent | CommandFailed | undefined>()
    const opened = yield* connect(() => socketTo(path)).pipe(
      Effect.timeoutOption(HELLO_MILLIS),
      Effect.orElseSucceed(() => ({ _tag: "None" as const }))
    )
    if (opened._tag === "None") return undefined
    const peer = yield* makePeer({
      transport: opened.value,
      serves: clientMethods,
      uses: hostMethods,
      handlers: {
        event: (event) => void Queue.offerUnsafe(followed, event),
        followed: ({ code, reason }) =>
          void Queue.offerUnsafe(followed, code === undefined ? undefined : failure(code, reason ?? ""))
      },
      onEnd: () => void Queue.offerUnsafe(followed, hostGone())
    })
    const hello = yield* peer.call("hello", { protocol: CONTROL_PROTOCOL }).pipe(
      Effect.timeoutOption(HELLO_MILLIS),
      Effect.orElseSucceed(() => ({ _tag: "None" as const }))
    )
    if (hello._tag === "None") return undefined
    const { mobs, pid, protocol } = hello.value
    if (protocol !== CONTROL_PROTOCOL) {
      return yield* new CommandFailed({
        code: "PROTOCOL_MISMATCH",
        text:
          `process ${pid} speaks control protocol ${protocol}, this mob speaks ${CONTROL_PROTOCOL}; use the mob of that version`,
        exit: ExitCode.store
      })
    }
    const ask = <A>(effect: Effect.Effect<A, RpcError | PeerClosed | DocumentTooLarge>) => Effect.mapError(effect, told)
    return {
      pid,
      mobs,
      stored: Effect.map(ask(peer.call("stored", {})), ({ mobs }) => mobs),
      ps: (mob) => ask(peer.call("ps", { mob })),
      tree: Effect.map(ask(peer.call("tree", {})), ({ tree }) => tree),
      runs: (mob) => Effect.map(ask(peer.call("runs", { mob })), ({ runs }) => runs),
      run: (mob, run) => Effect.map(ask(peer.call("status", { mob, run })), ({ run }) => run),
      awaitRun: (mob, run) => Effect.map(ask(peer.call("wait", { mob, run })), ({ run }) => run),
      events: (mob, after, limit) =>
        Effect.map(ask(peer.call("events", { mob, after, limit })), ({ events }) => events),
      follow: (mob, after) =>
        Stream.unwrap(Effect.as(
          ask(peer.call("follow", { mob, after })),
          Stream.fromQueue(followed).pipe(
            Stream.mapEffect((it) => it instanceof CommandFailed ? Effect.fail(it) : Effect.succeed(it)),
            Stream.takeWhile((it) => it !== undefined)
          )
        )),
      cancel: (mob, run) => Effect.map(ask(peer.call("cancel", { mob, run })), ({ run }) => run),
      runFlow: (request) => ask(peer.call("run", request)),
      backup: (request) => Effect.map(ask(peer.call("backup", request)), ({ backup }) => backup)
    }
  })

const hostGone = () =>
  failure("HOST_GONE", "the process that ran this mob ended; the next mob run or mob up continues it")

/** What the host answered, under the code it gave. */
const told = (error: RpcError | PeerClosed | DocumentTooLarge): CommandFailed => {
  if (error._tag === "PeerClosed") return hostGone()
  if (error._tag === "DocumentTooLarge") return failure(error.code, error.message)
  const { data } = error
  const code = typeof data === "object" && data !== null && "code" in data ? data.code : undefined
  return failure(typeof code === "string" ? code : error.code, error.reason)
}
