/**
 * Looking paths up in a run's context. Three-way: a value; *absent*, when the step or iteration has not given output;
 * or a *fault*, when the path cannot mean anything (it is no path, a key is missing, a scalar has no members).
 */
import { isArray, isObject, type Json } from "../../../sdk/json.ts"
import { parsePath, type Path, type PathSyntaxError } from "../../../sdk/template.ts"

/** A path that was read once, and its text for messages. */
export interface ContextPath {
  readonly text: string
  readonly path: Path | PathSyntaxError
}

/** What a path gives. */
type Resolved =
  | { readonly type: "value"; readonly value: Json }
  | { readonly type: "absent" }
  | { readonly type: "fault"; readonly reason: string }

/** What paths are looked up in. Outputs are undefined while there are none. */
export interface PathContext {
  readonly params: Json
  readonly step: (id: string) => Json | undefined
  readonly iteration: (loop: string, iteration: number, step: string) => Json | undefined
  /** Only while the message of an item is rendered. */
  readonly item?: { readonly value: Json; readonly index: number }
}

/** Reads a path. A text that is no path faults when it is looked up. */
export const contextPath = (text: string): ContextPath => ({ text, path: parsePath(text) })

/** Looks a path up. */
export const resolve = ({ text, path }: ContextPath, context: PathContext): Resolved => {
  if (!("root" in path)) return { type: "fault", reason: path.problem }
  switch (path.root) {
    case "params":
      return descend(context.params, path.segments, text)
    case "steps":
      return descend(context.step(path.step), path.segments, text)
    case "loops":
      return descend(context.iteration(path.loop, path.iteration, path.step), path.segments, text)
    case "item":
    case "index": {
      const { item } = context
      if (item === undefined) {
        return { type: "fault", reason: `path "${text}" is known only to the message of an each step` }
      }
      return descend(path.root === "item" ? item.value : item.index, path.segments, text)
    }
  }
}

const INDEX = /^(0|[1-9][0-9]*)$/

const descend = (start: Json | undefined, segments: ReadonlyArray<string>, text: string): Resolved => {
  if (start === undefined) return { type: "absent" }
  let value = start
  for (const segment of segments) {
    let next: Json | undefined
    if (isArray(value)) next = INDEX.test(segment) ? value[Number(segment)] : undefined
    else if (isObject(value)) next = Object.hasOwn(value, segment) ? value[segment] : undefined
    else return { type: "fault", reason: `path "${text}" looks for "${segment}" in a value that has no members` }
    if (next === undefined) return { type: "fault", reason: `path "${text}" finds no "${segment}"` }
    value = next
  }
  return { type: "value", value }
}
