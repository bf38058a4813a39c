/** Rules of everything that reads a run's context: messages, conditions, and the items of a step. */
import type { Content } from "../content.ts"
import { parseItems, parsePath, parseTemplate, type Path, templateErrorText } from "../template.ts"
import type { Condition, Diagnostic, FlowStep } from "./schema.ts"

/** Names that paths may speak of. */
export interface ContextNames {
  readonly steps: ReadonlySet<string>
  readonly loops: ReadonlySet<string>
}

/** Checks a step's message, condition and items. */
export const contextRules = (step: FlowStep, at: string, names: ContextNames): ReadonlyArray<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const judge = pathRules(findings, names)
  for (const { location, text } of textsOf(step.message, `${at}.message`)) {
    const template = parseTemplate(text)
    if (!("parts" in template)) {
      findings.push({ code: "template_syntax", message: templateErrorText(template), location, severity: "error" })
      continue
    }
    for (const part of template.parts) {
      if ("path" in part) {
        judge("template_path_invalid", part.path, parsePath(part.path), location, step.dispatch_mode === "each")
      }
    }
  }
  if (step.condition !== undefined) findings.push(...conditionRules(step.condition, `${at}.condition`, names))
  if (step.items !== undefined && step.dispatch_mode === "each") {
    judge("each_items_invalid", step.items, parseItems(step.items), `${at}.items`, false)
  }
  return findings
}

/** Checks each path of a condition; the place is that of the part of the condition that holds the path. */
export const conditionRules = (condition: Condition, at: string, names: ContextNames): ReadonlyArray<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const judge = pathRules(findings, names)
  const visit = (part: Condition, location: string) => {
    if ("expr" in part) visit(part.expr, `${location}.expr`)
    else if ("exprs" in part) part.exprs.forEach((expr, index) => visit(expr, `${location}.exprs[${index}]`))
    else judge("condition_path_invalid", part.path, parsePath(part.path), `${location}.path`, false)
  }
  visit(condition, at)
  return findings
}

const textsOf = (message: Content, at: string): ReadonlyArray<{ readonly text: string; readonly location: string }> =>
  typeof message === "string"
    ? [{ text: message, location: at }]
    : message.flatMap((block, index) =>
      "text" in block && typeof block.text === "string" && block.type === "text"
        ? [{ text: block.text, location: `${at}[${index}].text` }]
        : []
    )

/** Says what is wrong with a path: unreadable, about items where there are none, or about a name that does not exist. */
const pathRules =
  (findings: Array<Diagnostic>, names: ContextNames) =>
  (code: string, text: string, path: Path | { readonly problem: string }, location: string, hasItems: boolean) => {
    const tell = (message: string, as = code, severity: Diagnostic["severity"] = "error") =>
      void findings.push({ code: as, message, location, severity })
    if (!("root" in path)) return tell(path.problem)
    if ((path.root === "item" || path.root === "index") && !hasItems) {
      return tell(`path "${text}" speaks of an item; only messages of a step with dispatch_mode each have ${path.root}`)
    }
    // Not an error: the path is readable, and at run time an absent root is false or null. It is most likely a typo.
    if (path.root === "steps" && !names.steps.has(path.step)) {
      tell(
        `path "${text}" speaks of step "${path.step}", which this flow does not have`,
        "path_unknown_name",
        "warning"
      )
    }
    if (path.root === "loops" && !names.loops.has(path.loop)) {
      tell(
        `path "${text}" speaks of loop "${path.loop}", which this flow does not have`,
        "path_unknown_name",
        "warning"
      )
    }
  }
