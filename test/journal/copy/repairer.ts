/** A process that repairs a data directory. Arguments: the directory, the new one. */
import { Effect } from "effect"
import { repair } from "../../../core/journal/copy/index.ts"

const [from = "", to = ""] = process.argv.slice(2)
await Effect.runPromise(repair(from, to))
