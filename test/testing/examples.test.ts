import { describe, expect, it } from "vitest"
import * as kit from "../../core/testing/index.ts"
import { examplesIn, examplesOf, runExample, typeErrors } from "./examples.ts"

const examples = examplesOf("core/testing")

describe("examples of the testing kit", () => {
  it("are there for all that it exports", () => {
    expect(Object.keys(kit).filter((name) => !examples.some(({ of }) => of === name))).toEqual([])
  })

  it("import public paths only", () => {
    const paths = examples.flatMap(({ code }) => [...code.matchAll(/from "([^"]+)"/g)].map(([, path]) => path))
    expect([...new Set(paths)].sort()).toEqual(["effect", "mobwright", "mobwright/testing", "node:assert"])
  })

  it("have the right types; one that has not is seen", () => {
    const wrong = {
      of: "wrong",
      code: `import { settle } from "mobwright/testing"\nexport const it: string = settle\n`
    }
    expect(typeErrors([...examples, wrong])).toEqual([
      expect.stringMatching(/^wrong: .* not assignable to type 'string'/)
    ])
  })

  for (const example of examples) it(`${example.of} runs`, () => runExample(example))

  it("are read from the comments of exports, and one that fails is seen", async () => {
    const text =
      "/**\n * Text.\n *\n * ```ts\n * throw new Error(\n *   \"boom\"\n * )\n * ```\n */\nexport const it = 1\n"
    const found = examplesIn(`${text}/** None. */\nexport const other = 1\n`)
    expect(found).toEqual([{ of: "it", code: "throw new Error(\n  \"boom\"\n)\n" }])
    await expect(runExample(found[0]!)).rejects.toThrow("boom")
  })
})
