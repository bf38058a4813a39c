import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { parseItems, parsePath, parseTemplate, templateErrorText } from "../../sdk/template.ts"

const errorOf = (text: string) => {
  const template = parseTemplate(text)
  return "parts" in template ? template : templateErrorText(template)
}

describe("templates", () => {
  it("a text is split into plain pieces and trimmed paths", () => {
    expect(parseTemplate("Hi {{ params.user }}, see {{steps.a}}.")).toEqual({
      parts: [{ text: "Hi " }, { path: "params.user" }, { text: ", see " }, { path: "steps.a" }, { text: "." }]
    })
    expect(parseTemplate("")).toEqual({ parts: [] })
    expect(parseTemplate("{{\nparams.x\n}}{{ params.y }}")).toEqual({
      parts: [{ path: "params.x" }, { path: "params.y" }]
    })
  })

  it("a lone brace in plain text is text", () => {
    expect(parseTemplate("{ a } {b: {c}, d")).toEqual({ parts: [{ text: "{ a } {b: {c}, d" }] })
    expect(parseTemplate("{{ params.x }}}")).toEqual({ parts: [{ path: "params.x" }, { text: "}" }] })
  })

  it("flows/57 unmatched braces and empty placeholders are syntax errors with line, column and byte", () => {
    expect(errorOf("Bad {{")).toBe("invalid template syntax at line 1, column 5 (byte 4): unmatched \"{{\"")
    expect(errorOf("Bad }}")).toBe("invalid template syntax at line 1, column 5 (byte 4): unmatched \"}}\"")
    expect(errorOf("{{   }}")).toBe("invalid template syntax at line 1, column 1 (byte 0): empty placeholder")
  })

  it("flows/58 lines and columns count from 1", () => {
    expect(errorOf("line1\nline2 }}")).toBe("invalid template syntax at line 2, column 7 (byte 12): unmatched \"}}\"")
  })

  it("flows/59 placeholders cannot be nested, and hold no single brace", () => {
    expect(errorOf("{{ params.{{x}} }}"))
      .toBe(
        "invalid template syntax at line 1, column 11 (byte 10): \"{{\" inside a placeholder; placeholders cannot be nested"
      )
    expect(errorOf("{{ params.x } }}")).toBe(
      "invalid template syntax at line 1, column 13 (byte 12): single \"}\" inside a placeholder"
    )
  })

  it("columns count characters, bytes count UTF-8", () => {
    expect(errorOf("é🙂 }}")).toBe("invalid template syntax at line 1, column 4 (byte 7): unmatched \"}}\"")
  })

  it("any text either fails or is put together again from its parts", () => {
    const piece = fc.constantFrom("{{", "}}", "{", "}", " ", "params.x", "\n", "é")
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("")
      const template = parseTemplate(text)
      if (!("parts" in template)) return
      const again = template.parts.map((part) => "text" in part ? part.text : `{{${part.path}}}`).join("")
      const squeeze = (it: string) => it.replace(/\s/g, "")
      expect(squeeze(again)).toBe(squeeze(text))
    }))
  })
})

describe("paths", () => {
  it("each root has its form", () => {
    expect(parsePath("params")).toEqual({ root: "params", segments: [] })
    expect(parsePath(" params.a.0 ")).toEqual({ root: "params", segments: ["a", "0"] })
    expect(parsePath("steps.s")).toEqual({ root: "steps", step: "s", segments: [] })
    expect(parsePath("item.name")).toEqual({ root: "item", segments: ["name"] })
    expect(parsePath("index")).toEqual({ root: "index", segments: [] })
    expect(parsePath("loops.l.iterations.12.steps.s.output.x"))
      .toEqual({ root: "loops", loop: "l", iteration: 12, step: "s", segments: ["output", "x"] })
  })

  it("flows/52 one output after a step id stands for the whole value", () => {
    expect(parsePath("steps.s1.output.nested.value")).toEqual(parsePath("steps.s1.nested.value"))
    expect(parsePath("steps.s1.output.output")).toEqual({ root: "steps", step: "s1", segments: ["output"] })
  })

  it("what is no path says why", () => {
    for (
      const text of [
        "",
        "step.a",
        "steps",
        "params..x",
        "steps.",
        "loops.l",
        "loops.l.iterations.x.steps.s",
        "loops.l.iterations.1.s"
      ]
    ) {
      expect(parsePath(text)).toHaveProperty("problem")
    }
    expect(parsePath("step.a")).toEqual({
      problem:
        "path \"step.a\" has the unknown root \"step\"; roots are params, steps, loops, and for items item and index"
    })
  })

  it("items are exactly one placeholder", () => {
    expect(parseItems(" {{ params.files }}\n")).toEqual({ root: "params", segments: ["files"] })
    for (
      const text of [
        "",
        "params.files",
        "{{ params.a }}{{ params.b }}",
        "x {{ params.a }}",
        "{{ params.a",
        "{{ nothing }}"
      ]
    ) {
      expect(parseItems(text)).toHaveProperty("problem")
    }
  })
})
