/** `mob validate FILE`: reads and judges a definition, and runs nothing that it names. */
import { Effect } from "effect"
import { checkDefinition } from "../definition/index.ts"
import { CommandFailed, ExitCode, failed } from "./failure.ts"
import { findingLine, result, resultJson } from "./print.ts"

/** Prints all findings; fails with exit code 2 if one of them is an error. */
export const validate = Effect.fnUntraced(function*(options: { readonly file: string; readonly json: boolean }) {
  const { diagnostics } = yield* Effect.mapError(checkDefinition(options.file), failed)
  const errors = diagnostics.filter((it) => it.severity === "error").length
  const warnings = diagnostics.length - errors
  if (options.json) yield* resultJson(diagnostics)
  else {
    for (const it of diagnostics) {
      yield* result(findingLine(it))
    }
    if (errors === 0) {
      yield* result(`${options.file} is valid${warnings === 0 ? "" : ` (${count(warnings, "warning")})`}`)
    }
  }
  if (errors > 0) {
    return yield* new CommandFailed({
      code: "DEFINITION_INVALID",
      text: `${options.file} has ${count(errors, "error")}; mend ${errors === 1 ? "it" : "them"} and validate again`,
      exit: ExitCode.usage
    })
  }
})

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`
