/**
 * The syntax of messages and of context paths, shared by validation and by the run machine.
 *
 * A message is text with `{{ path }}` placeholders; there are no filters, no escapes, no nesting. A path names a value
 * of the run's context: `params.a.b`, `steps.scan.output.files.0`, `loops.fix.iterations.1.steps.review.passes`, and,
 * in a step that works through items, `item.name` and `index`. Nothing here knows values; looking a path up is the
 * run machine's.
 */

/** A piece of a message: plain text, or the trimmed inside of a placeholder, to be read by {@link parsePath}. */
export type TemplatePart = { readonly text: string } | { readonly path: string }

/** A message that was read. Parts in order; empty for an empty text. */
export interface Template {
  readonly parts: ReadonlyArray<TemplatePart>
}

/** Where and why a message is not a template. */
export interface TemplateSyntaxError {
  /** From 1, counted by line feeds. */
  readonly line: number
  /** From 1, counted in characters (Unicode code points). */
  readonly column: number
  /** From 0, counted in UTF-8 bytes from the start of the text. */
  readonly byte: number
  /** What is wrong, in words. */
  readonly problem: string
}

/** Splits a message into text and placeholders. `"parts" in result` tells a template from an error. */
export const parseTemplate = (text: string): Template | TemplateSyntaxError => {
  const parts: Array<TemplatePart> = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf("{{", at)
    const stray = text.indexOf("}}", at)
    if (stray !== -1 && (open === -1 || stray < open)) return errorAt(text, stray, "unmatched \"}}\"")
    if (open === -1) break
    if (open > at) parts.push({ text: text.slice(at, open) })
    const start = open + 2
    const single = text.indexOf("}", start)
    const nested = text.indexOf("{{", start)
    if (nested !== -1 && (single === -1 || nested < single)) {
      // Without any closing brace the outer one is what was left open.
      return single === -1
        ? errorAt(text, open, "unmatched \"{{\"")
        : errorAt(text, nested, "\"{{\" inside a placeholder; placeholders cannot be nested")
    }
    if (single === -1) return errorAt(text, open, "unmatched \"{{\"")
    if (text[single + 1] !== "}") return errorAt(text, single, "single \"}\" inside a placeholder")
    const path = text.slice(start, single).trim()
    if (path === "") return errorAt(text, open, "empty placeholder")
    parts.push({ path })
    at = single + 2
  }
  if (at < text.length) parts.push({ text: text.slice(at) })
  return { parts }
}

/** The error as people read it: `invalid template syntax at line L, column C (byte B): ...`. */
export const templateErrorText = (error: TemplateSyntaxError): string =>
  `invalid template syntax at line ${error.line}, column ${error.column} (byte ${error.byte}): ${error.problem}`

const errorAt = (text: string, index: number, problem: string): TemplateSyntaxError => {
  const before = text.slice(0, index)
  const lineStart = before.lastIndexOf("\n") + 1
  return {
    line: before.split("\n").length,
    column: Array.from(before.slice(lineStart)).length + 1,
    byte: new TextEncoder().encode(before).length,
    problem
  }
}

/**
 * A path that was read. `segments` are what follows the root: object keys, or decimal indexes where the value turns
 * out to be an array. For `steps` one literal `output` directly after the step id is dropped already.
 */
export type Path =
  | { readonly root: "params"; readonly segments: ReadonlyArray<string> }
  | { readonly root: "steps"; readonly step: string; readonly segments: ReadonlyArray<string> }
  | {
    readonly root: "loops"
    readonly loop: string
    /** From 0. */
    readonly iteration: number
    readonly step: string
    readonly segments: ReadonlyArray<string>
  }
  | { readonly root: "item"; readonly segments: ReadonlyArray<string> }
  | { readonly root: "index"; readonly segments: ReadonlyArray<string> }

/** Why a text is not a path. */
export interface PathSyntaxError {
  /** What is wrong, in words; it quotes the path. */
  readonly problem: string
}

/** Reads a path. `"root" in result` tells a path from an error. */
export const parsePath = (text: string): Path | PathSyntaxError => {
  const [root, ...rest] = text.trim().split(".")
  const wrong = (problem: string): PathSyntaxError => ({ problem: `path "${text.trim()}" ${problem}` })
  if (root === "") return wrong("has no root; start with params, steps or loops")
  if (rest.includes("")) return wrong("has an empty segment")
  switch (root) {
    case "params":
    case "item":
    case "index":
      return { root, segments: rest }
    case "steps": {
      const [step, ...segments] = rest
      if (step === undefined) return wrong("names no step; write steps.<step id>")
      return { root, step, segments: segments[0] === "output" ? segments.slice(1) : segments }
    }
    case "loops": {
      const [loop, iterations, iteration, steps, step, ...segments] = rest
      const number = iteration !== undefined && /^\d+$/.test(iteration) ? Number(iteration) : undefined
      if (
        loop === undefined || iterations !== "iterations" || number === undefined || steps !== "steps"
        || step === undefined
      ) {
        return wrong("is not of the form loops.<loop id>.iterations.<number>.steps.<step id>")
      }
      return { root, loop, iteration: number, step, segments }
    }
    default:
      return wrong(`has the unknown root "${root}"; roots are params, steps, loops, and for items item and index`)
  }
}

/** Reads a step's `items`: exactly one placeholder, white space around it allowed. */
export const parseItems = (text: string): Path | PathSyntaxError => {
  const template = parseTemplate(text.trim())
  if (!("parts" in template)) return { problem: templateErrorText(template) }
  const [only, ...others] = template.parts
  return only !== undefined && "path" in only && others.length === 0
    ? parsePath(only.path)
    : { problem: `items "${text}" is not one path in double braces, such as {{ params.files }}` }
}
