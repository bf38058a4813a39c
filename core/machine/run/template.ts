/**
 * Messages of steps: templates whose syntax was read once, rendered when a step runs. A string is inserted raw, any
 * other value as compact JSON, an absent root as `null`; a fault fails the step. Blocks that are not text pass through.
 */
import { type Content, mapText } from "../../../sdk/content.ts"
import type { Json } from "../../../sdk/json.ts"
import { parseItems, parseTemplate, templateErrorText } from "../../../sdk/template.ts"
import { type ContextPath, contextPath, type PathContext, resolve } from "./path.ts"

/** A message by its texts, or its first syntax error. */
export type ContentTemplate =
  | {
    readonly ok: true
    readonly content: Content
    readonly texts: ReadonlyMap<string, ReadonlyArray<string | ContextPath>>
  }
  | { readonly ok: false; readonly error: string }

/** A message, or why it cannot be rendered. */
export type Rendered = { readonly ok: true; readonly content: Content } | { readonly ok: false; readonly error: string }

/** Reads a message. A syntax error is kept, because it fails the step when it runs, not the definition. */
export const compileContent = (content: Content): ContentTemplate => {
  const texts = new Map<string, ReadonlyArray<string | ContextPath>>()
  let error: string | undefined
  mapText(content, (text) => {
    const template = parseTemplate(text)
    if ("parts" in template) texts.set(text, template.parts.map((it) => "text" in it ? it.text : contextPath(it.path)))
    else error ??= templateErrorText(template)
    return text
  })
  return error === undefined ? { ok: true, content, texts } : { ok: false, error }
}

/** Renders a message in a context. */
export const renderContent = (template: ContentTemplate, context: PathContext): Rendered => {
  if (!template.ok) return template
  let error: string | undefined
  const content = mapText(template.content, (text) => {
    let result = ""
    for (const part of template.texts.get(text) ?? []) {
      if (typeof part === "string") {
        result += part
        continue
      }
      const resolved = resolve(part, context)
      if (resolved.type === "fault") error ??= resolved.reason
      else result += insert(resolved.type === "absent" ? null : resolved.value)
    }
    return result
  })
  return error === undefined ? { ok: true, content } : { ok: false, error }
}

/** Reads the `items` of an `each` step: exactly one placeholder. Anything else is a path that faults. */
export const compileItems = (items: string | undefined): ContextPath =>
  items === undefined
    ? { text: "", path: { problem: "an each step needs items, one path in double braces" } }
    : { text: items, path: parseItems(items) }

const insert = (value: Json): string => typeof value === "string" ? value : JSON.stringify(value)
