/** A process that restores a backup. Arguments: backup, data directory. Prints `ready`, then `done`. */
import { Effect } from "effect"
import * as fs from "node:fs"
import { restore } from "../../../core/journal/copy/index.ts"

const [file = "", dir = ""] = process.argv.slice(2)
fs.writeSync(1, "ready\n")
await Effect.runPromise(restore(file, dir))
fs.writeSync(1, "done\n")
