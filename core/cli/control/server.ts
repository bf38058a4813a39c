/**
 * The host's side of the control socket: every process that holds a data directory serves what other `mob` commands
 * ask. A client that leaves ends its follow; runs go on.
 */
import { Effect, type Fiber, type Scope, Stream } from "effect"
import { chmodSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { MobId } from "../../../sdk/ids.ts"
import {
  ErrorCode,
  type Handlers,
  listen,
  makePeer,
  type Peer,
  RpcError,
  type SocketFailed,
  type Transport
} from "../../../sdk/protocol/index.ts"
import type { StoredEvent } from "../../../sdk/store.ts"
import type { TreeNode } from "../../actor/index.ts"
import type { BackupOptions, BackupWritten } from "../../journal/copy/index.ts"
import type { MobHandle, MobsShape } from "../../mob/index.ts"
import { type Coded, failure } from "../failure.ts"
import { clientMethods, CONTROL_PROTOCOL, hostMethods } from "./methods.ts"

/** Milliseconds a client may take to read the last answers of a host that ends. */
const LAST_WORDS_MILLIS = 500

/** What a host offers. */
export interface Offer {
  readonly mobs: Pick<MobsShape, "get" | "list">
  /** Mobs that its store holds. */
  readonly stored: Effect.Effect<ReadonlyArray<string>, Coded>
  readonly tree: Effect.Effect<TreeNode>
  /** Opens, or finds, the mob of a definition file. */
  readonly openFile: (file: string) => Effect.Effect<MobHandle, Coded>
  /** Writes a backup of the store; a host whose store cannot be copied has none. */
  readonly backup?: (file: string, options: BackupOptions) => Effect.Effect<BackupWritten, Coded>
}

/** Serves the socket until the Scope closes; then connections are ended. Replaces a socket that a dead host left. */
export const serveControl = (path: string, offer: Offer): Effect.Effect<void, SocketFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const services = yield* Effect.context<never>()
    const accept = (transport: Transport) => {
      Effect.runForkWith(services)(Effect.forkIn(connection(transport, offer), scope))
    }
    // Whoever serves holds the data directory's lock, so a socket that is there belongs to nobody.
    yield* Effect.sync(() => rmSync(path, { force: true }))
    yield* listen(createServer(), path, accept)
    yield* Effect.sync(() => chmodSync(path, 0o600))
  })

const connection = (transport: Transport, offer: Offer): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    const peer: Peer<typeof clientMethods> = yield* makePeer({
      transport,
      serves: hostMethods,
      uses: clientMethods,
      handlers: handlers(offer, (mob, after) => follow(mob, after, () => peer, scope))
    })
    // What was answered just before the host ends still goes out.
    yield* Effect.addFinalizer(() => Effect.andThen(peer.end, Effect.timeoutOption(peer.ended, LAST_WORDS_MILLIS)))
    yield* peer.ended
  }))

/** Sends events one after the other; the wire's own back-pressure holds the log back. */
const follow = (mob: MobHandle, after: number, peer: () => Peer<typeof clientMethods>, scope: Scope.Scope) =>
  mob.events(after).pipe(
    Stream.runForEach((event: StoredEvent) => peer().notify("event", event)),
    Effect.matchEffect({
      onSuccess: () => peer().notify("followed", {}),
      onFailure: (error) =>
        error._tag === "PeerClosed" || error._tag === "DocumentTooLarge"
          ? Effect.void
          : peer().notify("followed", { code: error.code, reason: error.message })
    }),
    Effect.ignore,
    Effect.forkIn(scope)
  )

const handlers = (
  { backup, mobs, openFile, stored, tree }: Offer,
  follow: (mob: MobHandle, after: number) => Effect.Effect<Fiber.Fiber<void>>
): Handlers<typeof hostMethods> => {
  const answer = <A>(method: string, effect: Effect.Effect<A, Coded>): Effect.Effect<A, RpcError> =>
    Effect.mapError(
      effect,
      ({ code, message }) => new RpcError({ method, rpc_code: ErrorCode.refused, reason: message, data: { code } })
    )
  const on = <A>(method: string, mob: string, use: (handle: MobHandle) => Effect.Effect<A, Coded>) =>
    answer(method, Effect.flatMap(find(mob), use))
  // An id that is none is not found either.
  const find = (mob: string): Effect.Effect<MobHandle, Coded> => mobs.get(mob as MobId)
  return {
    hello: () =>
      Effect.map(mobs.list, (handles) => ({
        protocol: CONTROL_PROTOCOL,
        pid: process.pid,
        mobs: handles.map((it) => it.id)
      })),
    stored: () => answer("stored", Effect.map(stored, (mobs) => ({ mobs }))),
    ps: ({ mob }) => on("ps", mob, (handle) => Effect.all({ status: handle.status, members: handle.members })),
    tree: () => Effect.map(tree, (tree) => ({ tree })),
    runs: ({ mob }) => on("runs", mob, (handle) => Effect.map(handle.runs(), (runs) => ({ runs }))),
    status: ({ mob, run }) => on("status", mob, (handle) => Effect.map(handle.run(run), (run) => ({ run }))),
    wait: ({ mob, run }) => on("wait", mob, (handle) => Effect.map(handle.awaitRun(run), (run) => ({ run }))),
    events: ({ after, limit, mob }) =>
      on("events", mob, (handle) => Effect.map(handle.pollEvents(after, limit), (events) => ({ events }))),
    follow: ({ after, mob }) => on("follow", mob, (handle) => Effect.as(follow(handle, after), {})),
    cancel: ({ mob, run }) => on("cancel", mob, (handle) => Effect.map(handle.cancel(run), (run) => ({ run }))),
    run: ({ file, flow, key, params }) =>
      answer(
        "run",
        Effect.gen(function*() {
          const handle = yield* openFile(file)
          const { latest_cursor } = yield* handle.status
          const { existing, run_id } = yield* handle.runFlow(flow, params, key === undefined ? {} : { key })
          return { mob: handle.id, runId: run_id, existing, cursor: latest_cursor }
        })
      ),
    backup: ({ file, mob, secrets }) =>
      answer(
        "backup",
        Effect.map(
          backup === undefined
            ? Effect.fail(failure("BACKUP_UNSUPPORTED", "the store of this process cannot be copied"))
            // A name that is no mob's is not stored either.
            : backup(file, { includeSecrets: secrets, ...(mob === undefined ? {} : { mobs: [mob as MobId] }) }),
          (backup) => ({ backup })
        )
      )
  }
}
