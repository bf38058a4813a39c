import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { call, connect, listen, makePeer, type Peer, type Transport } from "../../../sdk/protocol/index.ts"

const table = { double: call(Schema.Struct({ n: Schema.Int }), Schema.Int) } as const
const handlers = { double: ({ n }: { readonly n: number }) => Effect.succeed(2 * n) }
const peerOver = (transport: Transport) => makePeer({ transport, serves: table, uses: table, handlers })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mob-socket-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe("a Unix socket", () => {
  it.live("carries a peer for each connection, both ways", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "s.sock")
      const services = yield* Effect.context<never>()
      const accepted: Array<Promise<Peer<typeof table>>> = []
      const scope = yield* Effect.scope
      yield* listen(net.createServer(), path, (transport) => {
        accepted.push(Effect.runPromiseWith(services)(Effect.provideService(peerOver(transport), Scope.Scope, scope)))
      })
      for (let n = 1; n <= 3; n++) {
        const client = yield* peerOver(yield* connect(() => net.createConnection(path)))
        expect(yield* client.call("double", { n })).toBe(2 * n)
        const served = accepted[n - 1]
        if (served === undefined) throw new Error("no connection was accepted")
        const server = yield* Effect.promise(() => served)
        expect(yield* server.call("double", { n: 10 * n })).toBe(20 * n)
        if (n === 1) {
          yield* client.end
          expect(yield* server.ended).toEqual({ reason: "ended", cause: undefined })
        }
      }
    }).pipe(Effect.scoped))

  it.live("that nobody listens on is a typed failure with its errno", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "none.sock")
      const error = yield* Effect.flip(connect(() => net.createConnection(path)))
      expect(error).toMatchObject({ _tag: "SocketFailed", errno: "ENOENT" })
      const busy = join(yield* folder, "busy.sock")
      yield* listen(net.createServer(), busy, () => {})
      expect(yield* Effect.flip(listen(net.createServer(), busy, () => {}))).toMatchObject({ errno: "EADDRINUSE" })
    }).pipe(Effect.scoped))
})
