/** Fixtures of definitions, and short ways to write one down. */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { checkDefinition } from "../../../core/definition/index.ts"
import { type CheckedDefinition, type DefinitionFormat, parseDefinition } from "../../../sdk/definition/index.ts"

/** Absolute path of a fixture. */
export const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** Text of a fixture. */
export const fixtureText = (name: string) => readFileSync(fixture(name), "utf8")

/** Loads a fixture as the CLI would. */
export const check = (name: string) => checkDefinition(fixture(name))

/** Parses a text whose schema files are in `files`. */
export const parse = (
  text: string,
  format: DefinitionFormat = "toml",
  files: { readonly [path: string]: string } = {}
): Effect.Effect<CheckedDefinition> =>
  parseDefinition(text, format, {
    base: "/base",
    readFile: (path) => {
      const content = files[path]
      return content === undefined ? Effect.fail({ message: "there is no such file" }) : Effect.succeed(content)
    }
  })

/** A definition as JSON text with these steps in its one flow, all for role `w` unless they say other. */
export const withSteps = (steps: { readonly [id: string]: object }, flow: object = {}, top: object = {}) =>
  JSON.stringify({
    id: "m",
    profiles: { w: {} },
    flows: {
      main: {
        steps: Object.fromEntries(
          Object.entries(steps).map(([id, step]) => [id, { role: "w", message: "x", ...step }])
        ),
        ...flow
      }
    },
    ...top
  })

/** Findings of such a definition, short: `code at location`, warnings with a `?`. */
export const findings = (text: string, format: DefinitionFormat = "json") =>
  Effect.map(
    parse(text, format),
    ({ diagnostics }) =>
      diagnostics.map((it) => `${it.severity === "warning" ? "?" : ""}${it.code} at ${it.location ?? "-"}`)
  )
