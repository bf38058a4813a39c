/**
 * What opening a data directory can fail with, beyond the store contract's own errors.
 */
import { Schema } from "effect"

/** The data directory cannot be made, read or written: it is a file, permission is missing, the disk refuses. */
export class DataFolderUnusable extends Schema.TaggedError<DataFolderUnusable>()("DataFolderUnusable", {
  dir: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "DATA_FOLDER_UNUSABLE"
  override get message() {
    return `the data directory ${this.dir} cannot be used: ${this.reason}; give another --data, or mend its permissions`
  }
}
