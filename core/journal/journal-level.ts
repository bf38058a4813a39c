/**
 * The LevelDB layer of the store contract.
 */
import { Effect, Layer } from "effect"
import { Journal, type StoreError } from "../../sdk/store.ts"
import { openCopied } from "./copy/open-copied.ts"
import type { DataFolderUnusable } from "./errors.ts"
import { holdLevel } from "./level.ts"

/** Where a store is, and where its holder can be spoken to. */
export interface JournalLevelOptions {
  /** The data directory; made, with mode 0700, if it is not there. */
  readonly dir: string
  /** Path of the control socket, for `owner.json`. */
  readonly socket?: string
}

/**
 * The store of a data directory, held alone until its Scope closes. Fails with `StoreLocked` when another process holds
 * it, `StoreCorrupted` when an acknowledged batch is missing, `SchemaUnsupported` when another version wrote it, and
 * `DataFolderUnusable` when the directory is a file or cannot be written.
 */
export const JournalLevel = {
  layer: (options: JournalLevelOptions): Layer.Layer<Journal, StoreError | DataFolderUnusable> =>
    Layer.effect(Journal, Effect.suspend(() => openCopied(holdLevel(options.dir, options.socket))))
}
