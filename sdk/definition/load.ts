/**
 * From a text to a definition that is ready to run, with everything that is wrong with it told at once. Nothing that a
 * definition names is run or imported; only its schema files are read, by a reader that the caller gives.
 */
import { Effect, Result } from "effect"
import { normalise } from "./author.ts"
import { decodeDefinition } from "./decode.ts"
import { digestOf } from "./digest.ts"
import { type DocumentValue, isTable, type SyntaxProblem } from "./document.ts"
import { readJson } from "./json-document.ts"
import { inlineSchemas, type ReadFile } from "./schema-references.ts"
import type { Definition, Diagnostic } from "./schema.ts"
import { readToml } from "./toml-document.ts"
import { validateDefinition } from "./validate.ts"

/** A definition as loaded: decoded, with schema files inlined, warnings found, its folder and its digest. */
export interface LoadedDefinition {
  readonly definition: Definition
  /** Absolute folder that relative paths are meant from. */
  readonly base: string
  /** sha256, lower-case hex, of the canonical JSON of the definition in normal form, schema files inlined. */
  readonly digest: string
  readonly warnings: ReadonlyArray<Diagnostic>
}

/** What became of a text: a loaded definition if there is no error among the diagnostics, and all diagnostics. */
export interface CheckedDefinition {
  readonly loaded: LoadedDefinition | undefined
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/** How a definition is written down. */
export type DefinitionFormat = "toml" | "json"

/** Where a text came from. */
export interface DefinitionOrigin {
  /** Absolute folder that relative paths are meant from. */
  readonly base: string
  readonly readFile: ReadFile
}

/**
 * Reads and judges a definition given as text. Never fails: syntax errors, wrong types, unreadable schema files and
 * broken rules are diagnostics. Wrong types hide the rules that need types, and syntax errors hide both.
 */
export const parseDefinition = Effect.fn("Definition.parse")(function*(
  text: string,
  format: DefinitionFormat,
  origin: DefinitionOrigin
): Effect.fn.Return<CheckedDefinition> {
  const document: { readonly value: DocumentValue } | SyntaxProblem = format === "toml"
    ? readToml(text)
    : readJson(text)
  if (!("value" in document)) return rejected([syntax(`${format}_syntax`, document)])
  if (!isTable(document.value)) {
    return rejected([{ code: "schema_mismatch", message: "a definition is one JSON object", severity: "error" }])
  }
  const normalised = normalise(document.value)
  // Findings speak of the file: some keys stand under [mob] there, and a bare orchestrator has no profile field.
  const told = (finding: Diagnostic): Diagnostic => {
    const top = finding.location === undefined ? undefined : /^\w+/.exec(finding.location)?.[0]
    if (top === undefined || finding.location === undefined || !normalised.underMob.has(top)) return finding
    return { ...finding, location: `mob.${finding.location}` }
  }
  const bare = (finding: Diagnostic): Diagnostic =>
    normalised.bareOrchestrator && finding.location === "orchestrator.profile"
      ? { ...finding, location: "orchestrator" }
      : finding

  const decoded = decodeDefinition(normalised)
  if (Result.isFailure(decoded) || normalised.findings.some((it) => it.severity === "error")) {
    const mistyped = Result.isFailure(decoded) ? decoded.failure : []
    return rejected([...normalised.findings, ...mistyped].map(bare).map(told))
  }
  const { definition, findings } = yield* inlineSchemas(decoded.success, origin.readFile)
  const diagnostics = [...normalised.findings, ...findings, ...validateDefinition(definition)].map(bare).map(told)
  if (diagnostics.some((it) => it.severity === "error")) return rejected(diagnostics)
  const digest = yield* digestOf(definition)
  return { loaded: { definition, base: origin.base, digest, warnings: diagnostics }, diagnostics }
})

const rejected = (diagnostics: ReadonlyArray<Diagnostic>): CheckedDefinition => ({ loaded: undefined, diagnostics })

const syntax = (code: string, { column, line, problem }: SyntaxProblem): Diagnostic => ({
  code,
  message: `line ${line}, column ${column}: ${problem}`,
  severity: "error"
})
