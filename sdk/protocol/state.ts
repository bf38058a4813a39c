/**
 * The machinery of a peer, without its types per method: ids, pending calls, dispatch of what arrives, the one end.
 */
import { Cause, type Context, Deferred, Effect, Exit, type Fiber, Result } from "effect"
import { exitOf } from "../exit.ts"
import type { Json } from "../json.ts"
import { ByteBudget, DOCUMENT_LIMIT } from "./budget.ts"
import {
  encodeError,
  encodeRequest,
  encodeResult,
  type ErrorObject,
  LineDecoder,
  parse,
  type RequestId
} from "./codec.ts"
import { compile, type CompiledMethod } from "./compiled.ts"
import { DocumentTooLarge, ErrorCode, PeerClosed, type PeerEnd, ProtocolViolation, RpcError } from "./errors.ts"
import { Outgoing, type Waiting } from "./outgoing.ts"
import type { PeerOptions } from "./peer.ts"
import type { MethodTable } from "./table.ts"

/** A request that is being handled counts as at least this many bytes, so that their number is bounded too. */
const LEAST_REQUEST = 8 * 1024

type CallExit = Exit.Exit<unknown, RpcError | PeerClosed | DocumentTooLarge>
type SendExit = Exit.Exit<void, PeerClosed | DocumentTooLarge>
type AnyHandler = (params: unknown) => Effect.Effect<unknown, RpcError> | void

interface Pending {
  readonly method: string
  readonly resume: (exit: CallExit) => void
}

const sentence = (end: PeerEnd): string => {
  switch (end.reason) {
    case "closed":
      return "this side closed it"
    case "ended":
      return end.cause ?? "the other side closed it"
    case "violation":
      return end.violation.message
  }
}

/** @internal See the module's text. */
export class PeerState {
  readonly #options: PeerOptions<MethodTable, MethodTable>
  readonly #serves: ReadonlyMap<string, CompiledMethod>
  readonly #uses: ReadonlyMap<string, CompiledMethod>
  readonly #services: Context.Context<never>
  readonly #limit: number
  readonly #budget: ByteBudget
  readonly #decoder: LineDecoder
  readonly #outgoing: Outgoing
  readonly #pending = new Map<RequestId, Pending>()
  readonly #running = new Set<Fiber.Fiber<unknown, unknown>>()
  readonly #over = Deferred.makeUnsafe<PeerEnd>()
  #held = 0
  #lastId = 0
  #end: PeerEnd | undefined

  constructor(options: PeerOptions<MethodTable, MethodTable>, services: Context.Context<never>) {
    this.#options = options
    this.#services = services
    this.#serves = compile(options.serves)
    this.#uses = compile(options.uses)
    this.#limit = options.documentLimit ?? DOCUMENT_LIMIT
    this.#budget = options.budget ?? new ByteBudget()
    this.#decoder = new LineDecoder(this.#limit)
    this.#outgoing = new Outgoing(options.transport, this.#budget, (cause) => this.finish({ reason: "ended", cause }))
  }

  start(): void {
    this.#options.transport.open({
      bytes: (chunk) => this.#receive(chunk),
      end: (cause) => this.finish({ reason: "ended", cause })
    })
  }

  get ended(): Effect.Effect<PeerEnd> {
    return Deferred.await(this.#over)
  }

  get endOutput(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#outgoing.drained(() => {
        if (this.#end === undefined) this.#options.transport.end()
        resume(Effect.void)
      })
    })
  }

  finish(end: PeerEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#outgoing.close()
    this.#budget.give(this.#held)
    this.#held = 0
    for (const fiber of this.#running) fiber.interruptUnsafe()
    this.#options.transport.destroy()
    // Before the calls fail, so that whoever waits for one finds the end known.
    this.#options.onEnd?.(end)
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    const closed = this.#closed(end)
    for (const { resume } of pending) resume(closed)
    Deferred.doneUnsafe(this.#over, Exit.succeed(end))
  }

  violate(reason: string): void {
    this.finish({ reason: "violation", violation: new ProtocolViolation({ reason }) })
  }

  /** Calls, and tells how it ended; gives what forgets the call. */
  request(method: string, params: unknown, ended: (exit: CallExit) => void): () => void {
    const id = ++this.#lastId
    const waiting = this.#submit(id, method, params, ended, () => {
      this.#pending.set(id, { method, resume: ended })
    })
    return () => {
      this.#outgoing.withdraw(waiting)
      this.#pending.delete(id)
    }
  }

  send(
    kind: "call" | "notification",
    method: string,
    params: unknown
  ): Effect.Effect<void, PeerClosed | DocumentTooLarge> {
    return Effect.suspend(() => {
      const id = kind === "call" ? ++this.#lastId : undefined
      let exit: SendExit | undefined
      let resume: ((exit: SendExit) => void) | undefined
      const over = (how: SendExit) => {
        exit = how
        resume?.(how)
      }
      const waiting = this.#submit(id, method, params, over, () => over(Exit.void))
      return exit ?? Effect.callback((later) => {
        resume = later
        return Effect.sync(() => this.#outgoing.withdraw(waiting))
      })
    })
  }

  notifyUnsafe(method: string, params: unknown): boolean {
    if (this.#end !== undefined) return false
    const bytes = encodeRequest(undefined, method, this.#encodeParams(method, params))
    if (bytes.length - 1 > this.#limit) return false
    this.#push(bytes)
    return this.#end === undefined
  }

  #submit(
    id: RequestId | undefined,
    method: string,
    params: unknown,
    fail: (exit: SendExit) => void,
    sent: () => void
  ): Waiting {
    // Encoded to JSON at once, so that a wrong value fails its caller; to bytes when there is room, so that no more
    // than one copy waits.
    const json = this.#encodeParams(method, params)
    const waiting: Waiting = {
      encode: () => {
        const bytes = encodeRequest(id, method, json)
        if (bytes.length - 1 <= this.#limit) return bytes
        fail(Exit.fail(new DocumentTooLarge({ method, bytes: bytes.length - 1, limit: this.#limit })))
        return undefined
      },
      sent,
      dropped: () => fail(this.#closed(this.#end ?? { reason: "closed" }))
    }
    this.#outgoing.submit(waiting)
    return waiting
  }

  #closed(end: PeerEnd): Exit.Exit<never, PeerClosed> {
    return Exit.fail(new PeerClosed({ reason: sentence(end) }))
  }

  #encodeParams(method: string, params: unknown): Json {
    return this.#uses.get(method)?.encodeParams(params) ?? {}
  }

  #push(bytes: Uint8Array): void {
    if (!this.#outgoing.push(bytes)) this.violate("it does not read what is sent to it")
  }

  #receive(chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    const { documents, violation } = this.#decoder.push(chunk)
    const more = this.#decoder.held - this.#held
    if (more > 0 && !this.#budget.take(more)) {
      return this.violate("more is waiting to be sent and read than may be kept")
    }
    if (more < 0) this.#budget.give(-more)
    this.#held += more
    for (const document of documents) {
      this.#options.onDocument?.()
      this.#handle(document)
      // Handling a document may end the connection, which its type cannot tell.
      if (this.#end as PeerEnd | undefined !== undefined) return
    }
    if (violation !== undefined) this.violate(violation)
  }

  #handle(document: string): void {
    const message = parse(document)
    switch (message.kind) {
      case "invalid":
        return this.violate(message.reason)
      case "request":
        return this.#request(message.id, message.method, message.params, document.length)
      case "notification":
        return this.#notification(message.method, message.params)
      case "result": {
        const pending = this.#answered(message.id)
        if (pending === undefined) return
        const decoded = this.#uses.get(pending.method)?.decodeResult(message.result) ?? Result.succeed(message.result)
        if (Result.isFailure(decoded)) {
          this.violate(`its answer to ${pending.method} is not as agreed: ${decoded.failure}`)
          return pending.resume(this.#closed(this.#end ?? { reason: "closed" }))
        }
        return pending.resume(Exit.succeed(decoded.success))
      }
      case "error": {
        const { code, data, message: reason } = message.error
        if (message.id === null) return this.violate(`it could not read a document: ${reason}`)
        const pending = this.#answered(message.id)
        if (pending === undefined) return
        const facts = { method: pending.method, rpc_code: code, reason }
        return pending.resume(Exit.fail(new RpcError(data === undefined ? facts : { ...facts, data })))
      }
    }
  }

  /** The call that an answer is for; undefined if nobody waits for it any more, or it answers nothing that was asked. */
  #answered(id: RequestId): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending !== undefined) this.#pending.delete(id)
    else if (typeof id !== "number" || id < 1 || id > this.#lastId) {
      this.violate(`it answered ${id}, which was not asked`)
    }
    return pending
  }

  #notification(method: string, params: Json): void {
    const known = this.#serves.get(method)
    // As JSON-RPC has it, a notification that one does not know is none of one's business.
    if (known?.kind !== "notification") return
    const decoded = known.decodeParams(params)
    if (Result.isFailure(decoded)) return this.violate(`its ${method} is not as agreed: ${decoded.failure}`)
    this.#handler(method)(decoded.success)
  }

  #request(id: RequestId, method: string, params: Json, length: number): void {
    const known = this.#serves.get(method)
    if (known?.kind !== "call") {
      const refusal = this.#options.unknownMethod?.(method)
      return this.#refuse(id, refusal ?? { rpc_code: ErrorCode.methodNotFound, reason: `there is no method ${method}` })
    }
    const decoded = known.decodeParams(params)
    if (Result.isFailure(decoded)) {
      return this.#refuse(id, { rpc_code: ErrorCode.invalidParams, reason: decoded.failure })
    }
    const cost = Math.max(length, LEAST_REQUEST)
    if (!this.#budget.take(cost)) return this.violate("it asks more at once than may be kept")
    const answer = (exit: Exit.Exit<unknown, unknown>) => {
      this.#budget.give(cost)
      if (this.#end === undefined) this.#answer(id, known, exit)
    }
    const effect = this.#run(method, decoded.success)
    const ended = exitOf(effect)
    if (ended !== undefined) return answer(ended)
    const fiber = Effect.runForkWith(this.#services)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return answer(exit)
    this.#running.add(fiber)
    fiber.addObserver((exit) => {
      this.#running.delete(fiber)
      answer(exit)
    })
  }

  #run(method: string, params: unknown): Effect.Effect<unknown, RpcError> {
    try {
      return this.#handler(method)(params) ?? Exit.void
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  #handler(method: string): AnyHandler {
    // The table and its handlers agree by the type of PeerOptions, which is erased here.
    return (this.#options.handlers as { readonly [method: string]: AnyHandler })[method] ?? (() => {})
  }

  #answer(id: RequestId, method: CompiledMethod, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      try {
        const bytes = encodeResult(id, method.encodeResult(exit.value))
        if (bytes.length - 1 <= this.#limit) return this.#push(bytes)
        const reason = `the answer would be a document of ${bytes.length - 1} bytes; ${this.#limit} are allowed`
        return this.#refuse(id, { rpc_code: ErrorCode.internal, reason })
      } catch (defect) {
        return this.#refuse(id, { rpc_code: ErrorCode.internal, reason: String(defect) })
      }
    }
    const error = Cause.squash(exit.cause)
    this.#refuse(id, error instanceof RpcError ? error : { rpc_code: ErrorCode.internal, reason: String(error) })
  }

  #refuse(id: RequestId, error: Pick<RpcError, "rpc_code" | "reason" | "data">): void {
    const answer: ErrorObject = { code: error.rpc_code, message: error.reason }
    this.#push(encodeError(id, error.data === undefined ? answer : { ...answer, data: error.data }))
  }
}
