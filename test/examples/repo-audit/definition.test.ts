import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseDefinition, validateDefinition } from "mobwright/sdk"
import { readFileSync } from "node:fs"
import { parseArguments, UsageError } from "../../../examples/repo-audit/arguments.ts"
import { withoutPython } from "../../../examples/repo-audit/variants.ts"
import { example } from "./seat.ts"

const load = Effect.gen(function*() {
  const origin = { base: example, readFile: () => Effect.die("no schema files") }
  const checked = yield* parseDefinition(readFileSync(`${example}mob.toml`, "utf8"), "toml", origin)
  expect(checked.diagnostics).toEqual([])
  return checked.loaded ?? (yield* Effect.die("refused"))
})

describe("the definition", () => {
  it.effect("is without errors and warnings, with a lead and two seats of each make", () =>
    Effect.gen(function*() {
      const { definition } = yield* load
      expect(definition.members.map(({ identity, profile }) => [identity, profile])).toEqual([
        ["lead", "lead"],
        ["node-1", "auditor_node"],
        ["node-2", "auditor_node"],
        ["python-1", "auditor_python"],
        ["python-2", "auditor_python"]
      ])
    }))

  it.effect("without Python has four Node seats and measures once, as another mob", () =>
    Effect.gen(function*() {
      const loaded = yield* load
      const { definition, digest } = yield* withoutPython(loaded)
      expect(digest).not.toBe(loaded.digest)
      expect(definition.id).toBe("repo-audit-node")
      expect(validateDefinition(definition)).toEqual([])
      expect(definition.members.filter(({ profile }) => profile === "auditor_node")).toHaveLength(4)
      expect(new Set(definition.members.map(({ identity }) => identity)).size).toBe(5)
      expect(JSON.stringify(definition)).not.toContain("python3")
      expect(JSON.stringify(definition)).not.toContain("steps.python")
    }))
})

describe("the command line", () => {
  const defaults = { from: "/from", folder: "/this/repository" }
  const parse = (...args: ReadonlyArray<string>) => parseArguments(args, defaults)

  it("has defaults for everything", () => {
    expect(parse()).toEqual({
      folder: "/this/repository",
      data: "/from/.mob",
      out: "/from/.mob",
      chaos: false,
      seed: 1
    })
  })

  it("takes a folder and options in any order, relative to where it was called", () => {
    const asked = { folder: "/from/x y", data: "/d", out: "/from/o", chaos: true, seed: 3 }
    expect(parse("--chaos", "--seed", "3", "--out=o", "x y", "--data", "/d")).toEqual(asked)
    expect(parse("--data", "/d", "--seed=3", "--out", "o", "--chaos", "--", "x y")).toEqual(asked)
    expect(parse("--", "--odd")).toMatchObject({ folder: "/from/--odd" })
  })

  it.each<[what: string, args: ReadonlyArray<string>, word: string]>([
    ["an unknown option", ["--fast"], "there is no option --fast"],
    ["an option without its value", ["--out"], "--out needs a value"],
    ["two folders", ["a", "b"], "one folder at a time"],
    ["a seed that is no number", ["--chaos", "--seed", "x"], "--seed x is no number"],
    ["a seed without chaos", ["--seed", "1"], "--seed goes with --chaos"]
  ])("refuses %s in words", (_, args, word) => {
    const refused = parse(...args)
    expect(refused).toBeInstanceOf(UsageError)
    expect((refused as UsageError).message).toContain(word)
  })
})
