/** Definitions: schema, loading from TOML and JSON, validation, digest. */
import type { Definition, Diagnostic } from "./schema.ts"
export * from "./schema.ts"

/** A definition as loaded: decoded, with schema files inlined, warnings found, its folder and its digest. */
export interface LoadedDefinition {
  readonly definition: Definition
  /** Absolute folder that relative paths are meant from. */
  readonly base: string
  /** sha256, lower-case hex, of the canonical JSON of the definition in normal form, schema files inlined. */
  readonly digest: string
  readonly warnings: ReadonlyArray<Diagnostic>
}
