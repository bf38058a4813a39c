/**
 * What is sent to a member: a text, or blocks of which the text ones have a text projection.
 */
import { Schema } from "effect"
import { Json } from "./json.ts"

/** A block of text. */
export const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** Any other block (image, audio, ...): its type and whatever fields it has, passed on unchanged. */
export const OtherBlock = Schema.StructWithRest(Schema.Struct({ type: Schema.String }), [
  Schema.Record(Schema.String, Json)
])

/** One block of a message. A `text` block carries `text`; every other type passes through untouched. */
export const ContentBlock = Schema.Union([TextBlock, OtherBlock])
export type ContentBlock = typeof ContentBlock.Type

/** A message: plain text, or an array of blocks. */
export const Content = Schema.Union([Schema.String, Schema.Array(ContentBlock)])
export type Content = typeof Content.Type

const isText = (block: ContentBlock): block is typeof TextBlock.Type => block.type === "text" && "text" in block

/** The text of a message: itself, or the text blocks joined by a line feed. Other blocks have no text. */
export const textOf = (content: Content): string =>
  typeof content === "string" ? content : content.filter(isText).map((block) => block.text).join("\n")

/** The same message with each of its texts replaced by `f` of it; other blocks are kept as they are. */
export const mapText = (content: Content, f: (text: string) => string): Content =>
  typeof content === "string"
    ? f(content)
    : content.map((block) => isText(block) ? { ...block, text: f(block.text) } : block)
