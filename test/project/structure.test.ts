import { readdirSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { type Import, importsIn, importsOf, room, root } from "./imports.ts"

const top = [
  "LICENSE",
  "README.md",
  "bench",
  "core",
  "examples",
  "package-lock.json",
  "package.json",
  "plugins",
  "sdk",
  "test",
  "tsconfig.json",
  "typedoc.json"
]
const generated = ["node_modules", "dist", "docs"]

/** What a machine may use of effect: descriptions of data, and persistent data. */
const plainData = new Set(["HashMap", "Option", "Result", "Schema"])

/** What breaks the dependency rule of the architecture, in words. */
const violations = (imports: ReadonlyArray<Import>): ReadonlyArray<string> =>
  imports.flatMap(({ from, names, to }) => {
    const wrong = (rule: string) => [`${from} imports ${to}: ${rule}`]
    const own = /^(sdk|core|plugins|examples|test|bench)\//.test(to)
    const area = from.split("/")[0]
    if (own && area === "sdk" && !to.startsWith("sdk/")) return wrong("sdk imports nothing of ours")
    if (own && area === "core" && !/^(core|sdk)\//.test(to)) return wrong("core imports core and sdk")
    if (own && area === "plugins" && !to.startsWith("sdk/") && room(from) !== room(to)) {
      return wrong("a plugin imports sdk only")
    }
    if (own && area === "examples" && !to.startsWith(from.split("/").slice(0, 2).join("/"))) {
      return wrong("examples import the public faces by package name")
    }
    if (from.startsWith("core/machine/")) {
      if (own && !/^(core\/machine|sdk)\//.test(to)) return wrong("machine imports only sdk")
      if (to.startsWith("effect/") || to === "effect" && !names.every((it) => plainData.has(it))) {
        return wrong("a machine knows data, not effects")
      }
      if (to.startsWith("node:")) return wrong("a machine does no IO")
    }
    if (/^core\/(actor|journal)\//.test(from) && /^core\/(mob|member|flow|topology|cli|plugin|machine)\//.test(to)) {
      return wrong("actor and journal know nothing of mobs")
    }
    if (to.startsWith("core/cli/") && !from.startsWith("core/cli/") && area !== "test") {
      return wrong("nothing imports cli")
    }
    if (to.startsWith("nact") && !from.startsWith("core/actor/") && !/^(test\/actor|bench)\//.test(from)) {
      return wrong("only core/actor imports nact")
    }
    if (area === "sdk" && to.startsWith("node:")) return wrong("sdk has no node: import")
    return []
  })

/** One cycle among files, by what is there at run time; undefined if there is none. */
const cycle = (imports: ReadonlyArray<Import>): ReadonlyArray<string> | undefined => {
  const edges = new Map<string, Array<string>>()
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly && to.endsWith(".ts")) edges.set(from, [...(edges.get(from) ?? []), to])
  }
  const done = new Set<string>()
  const visit = (file: string, path: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
    const at = path.indexOf(file)
    if (at >= 0) return [...path.slice(at), file]
    if (done.has(file)) return undefined
    for (const next of edges.get(file) ?? []) {
      const found = visit(next, [...path, file])
      if (found) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of edges.keys()) {
    const found = visit(file, [])
    if (found) return found
  }
  return undefined
}

describe("structure", () => {
  it("has exactly the top level that its owner fixed", () => {
    const found = readdirSync(root).filter((name) => !name.startsWith(".") && !generated.includes(name)).sort()
    expect(found).toEqual(top)
  })

  it("keeps the dependency rule", () => {
    expect(violations(importsOf(["sdk", "core", "plugins", "examples"]))).toEqual([])
  })

  it("sees a broken dependency rule", () => {
    const broken = [
      ["sdk/x.ts", `import { a } from "../core/index.ts"`],
      ["core/machine/x.ts", `import { a } from "../actor/index.ts"`],
      ["core/machine/y.ts", `import { Effect } from "effect"`],
      ["core/machine/z.ts", `import * as Effect from "effect/Effect"`],
      ["core/journal/x.ts", `import { a } from "../mob/index.ts"`],
      ["plugins/local/x.ts", `import { a } from "../../core/index.ts"`],
      ["core/mob/x.ts", `import { main } from "../cli/main.ts"`],
      ["core/mob/y.ts", `import { start } from "nact"`],
      ["examples/a/x.ts", `import { a } from "../../core/index.ts"`]
    ] as const
    for (const [file, text] of broken) expect(violations(importsIn(file, text)), file).toHaveLength(1)
  })

  it("has no import circle", () => {
    expect(cycle(importsOf(["sdk", "core", "plugins", "examples"]))).toBeUndefined()
  })

  it("sees an import circle", () => {
    const imports = [
      ...importsIn("core/a.ts", `import { b } from "./b.ts"`),
      ...importsIn("core/b.ts", `import { a } from "./a.ts"`)
    ]
    expect(cycle(imports)).toEqual(["core/a.ts", "core/b.ts", "core/a.ts"])
  })
})
