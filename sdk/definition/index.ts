/** Definitions: schema, loading from TOML and JSON, validation, digest. */
export { digestOf } from "./digest.ts"
export * from "./load.ts"
export type { ReadFile } from "./schema-references.ts"
export * from "./schema.ts"
export { validateDefinition } from "./validate.ts"
