/**
 * What the process that reads a store is asked, and what it answers.
 */
import { Schema } from "effect"
import {
  HistoryPruned,
  OwnerFenced,
  RevisionConflict,
  SchemaUnsupported,
  StoreClosed,
  StoreCorrupted,
  StoreFull,
  StoreLocked,
  StoreUnavailable,
  StoreWriteFailed
} from "../../../sdk/store.ts"
import { DataFolderUnusable } from "../errors.ts"
import { SecretsBusy, SecretsUnsafe } from "../secrets.ts"
import { NameUnusable, NoRoom, TargetTaken } from "./errors.ts"

/** A question. */
export const Question = Schema.Struct({
  dir: Schema.String,
  shadow: Schema.String,
  rescueFirst: Schema.Boolean,
  /** Where to write what is intact, an empty folder, and what it will be; checks only if there is none. */
  salvage: Schema.NullOr(Schema.Struct({
    draft: Schema.String,
    to: Schema.String,
    names: Schema.Array(Schema.Tuple([Schema.Int, Schema.String]))
  }))
})
export type Question = typeof Question.Type

const QuestionText = Schema.fromJsonString(Question)
export const writeQuestion = Schema.encodeSync(QuestionText)
export const readQuestion = Schema.decodeUnknownSync(QuestionText)

/** What a check of a shadow can fail with. */
export const CheckFailed = Schema.Union([DataFolderUnusable, NoRoom])

/** What a repair by a shadow can fail with. */
export const Failed = Schema.Union([
  StoreLocked,
  StoreCorrupted,
  StoreWriteFailed,
  StoreFull,
  StoreClosed,
  StoreUnavailable,
  OwnerFenced,
  RevisionConflict,
  HistoryPruned,
  SchemaUnsupported,
  DataFolderUnusable,
  TargetTaken,
  NameUnusable,
  NoRoom,
  SecretsUnsafe,
  SecretsBusy
])
export type Failed = typeof Failed.Type

export const writeFailed = Schema.encodeSync(Failed)

/** An answer: a result, or a failure as it is written. */
export type Answer =
  | { readonly type: "result"; readonly result: unknown }
  | { readonly type: "failed"; readonly failed: unknown }
