/** Every public error, read from the sources: its code, its tag, what it means, where it is exported. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { importsOf, root } from "./imports.ts"

/** A row of the error table. */
export interface ErrorRow {
  readonly tag: string
  readonly code: string | undefined
  readonly meaning: string
  readonly file: string
}

/** Error classes in one file's text. */
export const errorsIn = (file: string, text: string): ReadonlyArray<ErrorRow> => {
  const found: Array<ErrorRow> = []
  const declaration =
    /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?export class (\w+) extends Schema\.TaggedError<|(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?export class (\w+) extends S\.TaggedError</g
  for (const match of text.matchAll(declaration)) {
    const rest = text.slice(match.index)
    const body = rest.slice(0, rest.indexOf("\n}\n"))
    const doc = (match[1] ?? match[3] ?? "").replace(/^\s*\*\s?/gm, "").replace(/\s+/g, " ").trim()
    found.push({
      tag: match[2] ?? match[4] ?? "",
      code: /readonly code = "([A-Z_]+)"/.exec(body)?.[1],
      meaning: doc.split(/(?<=\.)\s/)[0] ?? "",
      file
    })
  }
  return found
}

/** All error classes below the published folders, by code. */
export const publicErrors = (): ReadonlyArray<ErrorRow> => {
  const all = importsOf(["sdk", "core", "plugins"]).map((it) => it.from)
  // The CLI has no face to import: its failures are exit codes and words.
  const files = new Set(all.filter((it) => !it.startsWith("core/cli/")))
  return [...files]
    .flatMap((file) => errorsIn(file, readFileSync(join(root, file), "utf8")))
    .sort((a, b) => (a.code ?? "") < (b.code ?? "") ? -1 : 1)
}

/** The face through which users import what stands in a file. */
export const faceOf = (file: string): string =>
  file.startsWith("sdk/member/")
    ? "sdk/member/index.ts"
    : file.startsWith("sdk/")
    ? "sdk/index.ts"
    : file.startsWith("plugins/")
    ? `plugins/${file.split("/")[1]}/index.ts`
    : file.startsWith("core/testing/")
    ? "core/testing/index.ts"
    : "core/index.ts"

/** Errors that their face does not export. `load` imports a face. */
export const unexported = async (
  rows: ReadonlyArray<ErrorRow>,
  load: (face: string) => Promise<Record<string, unknown>>
): Promise<ReadonlyArray<string>> => {
  const missing: Array<string> = []
  for (const row of rows) {
    const face = await load(faceOf(row.file))
    if (face[row.tag] === undefined) missing.push(`${row.tag} of ${row.file} by ${faceOf(row.file)}`)
  }
  return missing
}

/** The table as it stands in `core/ERRORS.md`. */
export const table = (rows: ReadonlyArray<ErrorRow>): string =>
  [
    "# Errors",
    "",
    "Every public error: its stable code, its tag (`_tag`), what it means, where it is exported. Generated from the",
    "sources by `npm run errors`; a test holds it to them. The message of an error says what to do.",
    "",
    "| code | tag | meaning | exported by |",
    "| --- | --- | --- | --- |",
    ...rows.map((it) =>
      `| \`${it.code}\` | \`${it.tag}\` | ${it.meaning.replaceAll("|", "\\|")} | \`${faceOf(it.file)}\` |`
    ),
    ""
  ].join("\n")
