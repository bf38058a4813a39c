/** Examples in doc comments: whose they are, whether their types are right, whether they run. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import ts from "typescript"
import { root } from "../project/imports.ts"

/** One ts block of a doc comment. */
export interface Example {
  /** What the comment is about. */
  readonly of: string
  readonly code: string
}

/** The examples in the doc comments of exports in one file's text. */
export const examplesIn = (text: string): ReadonlyArray<Example> =>
  [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport (?:const|class|interface|type|function) (\w+)/g)]
    .flatMap(([, comment = "", of = ""]) =>
      [...comment.replaceAll(/^ *\* ?/gm, "").matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code = ""]) => ({ of, code }))
    )

/** The examples of all files in a folder of the project. */
export const examplesOf = (folder: string): ReadonlyArray<Example> =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => examplesIn(readFileSync(join(root, folder, name), "utf8")))

/** What the compiler says against them, under the project's own options. */
export const typeErrors = (examples: ReadonlyArray<Example>): ReadonlyArray<string> => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root)
  // Files that are not there: an import of `mobwright` means this package.
  const files = new Map(examples.map(({ code, of }, index) => [join(root, `${index}-${of}.ts`), code]))
  const host = ts.createCompilerHost(options)
  const onDisk = { ...host }
  host.fileExists = (file) => files.has(file) || onDisk.fileExists(file)
  host.readFile = (file) => files.get(file) ?? onDisk.readFile(file)
  host.getSourceFile = (file, language, ...rest) => {
    const code = files.get(file)
    return code === undefined
      ? onDisk.getSourceFile(file, language, ...rest)
      : ts.createSourceFile(file, code, language)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files].flatMap(([file], index) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(file)).map(({ messageText }) =>
      `${examples[index]?.of}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
    )
  )
}

const run = promisify(execFile)

/** Runs one as a program. Rejects if it fails. */
export const runExample = ({ code }: Example) =>
  run(
    process.execPath,
    ["--conditions=mobwright-source", "--no-warnings", "--input-type=module-typescript", "--eval", code],
    { cwd: root }
  )
