/**
 * Method tables: which methods one side serves, as data. A peer is made from two of them.
 */
import { type Effect, Schema } from "effect"
import type { RpcError } from "./errors.ts"

/** A method that is answered. */
export interface CallMethod<
  Params extends Schema.Codec<unknown, unknown> = Schema.Codec<unknown, unknown>,
  Result extends Schema.Codec<unknown, unknown> = Schema.Codec<unknown, unknown>
> {
  readonly kind: "call"
  readonly params: Params
  readonly result: Result
}

/** A method that is not answered. */
export interface NotificationMethod<
  Params extends Schema.Codec<unknown, unknown> = Schema.Codec<unknown, unknown>
> {
  readonly kind: "notification"
  readonly params: Params
}

/** Methods by name. Their Schemas must encode to JSON; `params` to a JSON object. */
export interface MethodTable {
  readonly [method: string]: CallMethod | NotificationMethod
}

/** Declares a method that is answered. */
export const call = <Params extends Schema.Codec<unknown, unknown>, Result extends Schema.Codec<unknown, unknown>>(
  params: Params,
  result: Result
): CallMethod<Params, Result> => ({ kind: "call", params, result })

/** Declares a method that is not answered. */
export const notification = <Params extends Schema.Codec<unknown, unknown>>(
  params: Params
): NotificationMethod<Params> => ({ kind: "notification", params })

/** `params` of a method that needs none. Unknown fields are ignored, here as everywhere. */
export const NoParams = Schema.Struct({})

/** Names of the methods of a table that are answered. */
export type CallName<Table extends MethodTable> = {
  readonly [Name in keyof Table]: Table[Name]["kind"] extends "call" ? Name & string : never
}[keyof Table]

/** Names of the methods of a table that are not answered. */
export type NotificationName<Table extends MethodTable> = {
  readonly [Name in keyof Table]: Table[Name]["kind"] extends "notification" ? Name & string : never
}[keyof Table]

/** Decoded `params` of a method. */
export type ParamsOf<Table extends MethodTable, Name extends keyof Table> = Table[Name]["params"]["Type"]

/** Decoded `result` of a method that is answered. */
export type ResultOf<Table extends MethodTable, Name extends keyof Table> = Table[Name] extends
  { readonly result: infer Result extends Schema.Codec<unknown, unknown> } ? Result["Type"]
  : never

/**
 * What one side does when the other uses its methods. A call's handler answers with an Effect (one that is already an
 * Exit costs no fiber) and may fail with {@link RpcError}; a defect is answered as an internal error. A notification's
 * handler runs at once and must not throw.
 */
export type Handlers<Table extends MethodTable> = {
  readonly [Name in keyof Table]: Table[Name]["kind"] extends "call"
    ? (params: ParamsOf<Table, Name>) => Effect.Effect<ResultOf<Table, Name>, RpcError>
    : (params: ParamsOf<Table, Name>) => void
}
