/**
 * Definition files of this machine: the adapter between the file system and the SDK's reading of definitions. Nothing
 * that a definition names is run or imported; its schema files are read, relative to the folder it stands in.
 */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { dirname, extname, resolve } from "node:path"
import { type CheckedDefinition, type LoadedDefinition, parseDefinition } from "../../sdk/definition/index.ts"
import { DefinitionInvalid, DefinitionUnreadable } from "./errors.ts"

export { DefinitionInvalid, DefinitionUnreadable } from "./errors.ts"

/** Reads and judges a file: JSON if its name ends in `.json`, else TOML. Fails only if the file itself is unreadable. */
export const checkDefinition = Effect.fn("Definition.check")(function*(
  file: string
): Effect.fn.Return<CheckedDefinition, DefinitionUnreadable> {
  const base = dirname(resolve(file))
  const text = yield* read(file).pipe(
    Effect.mapError(({ message }) => new DefinitionUnreadable({ path: file, reason: message }))
  )
  return yield* parseDefinition(text, extname(file).toLowerCase() === ".json" ? "json" : "toml", {
    base,
    readFile: (path) => read(resolve(base, path))
  })
})

/** Loads a definition that is to be used: any error among its diagnostics refuses it, with all of them. */
export const loadDefinition = Effect.fn("Definition.load")(function*(
  file: string
): Effect.fn.Return<LoadedDefinition, DefinitionInvalid | DefinitionUnreadable> {
  const { diagnostics, loaded } = yield* checkDefinition(file)
  return loaded ?? (yield* new DefinitionInvalid({ source: file, diagnostics }))
})

const reasons: { readonly [code: string]: string } = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "permission denied"
}

const read = (path: string) =>
  Effect.tryPromise({
    try: (signal) => readFile(path, { encoding: "utf8", signal }),
    catch: (error) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : ""
      return { message: reasons[code] ?? String(error) }
    }
  })
