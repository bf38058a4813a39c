import { expect, it } from "@effect/vitest"
import { localBridge } from "../../plugins/local/index.ts"
import { subprocessBridge } from "../../plugins/subprocess/index.ts"
import { definePlugin, PLUGIN_API_VERSION } from "../../sdk/plugin.ts"

it("a plugin is given back as it was described", () => {
  const description = {
    name: "@acme/bridges",
    apiVersion: PLUGIN_API_VERSION,
    contributes: { bridges: [localBridge(), subprocessBridge()] as const }
  }
  expect(definePlugin(description)).toBe(description)
})

it.each([
  ["a name that no package has", { name: "My Plugin" }, "its name is not one that a package could have"],
  ["another interface", { apiVersion: 2 }, "it was made for plugin interface 2, this package offers 1"],
  [
    "two bridges of one id",
    { contributes: { bridges: [localBridge(), localBridge()] } },
    `two of its bridges claim the id "local"`
  ],
  ["a bridge without id", { contributes: { bridges: [{ ...localBridge(), id: "" }] } }, "one of its bridges has no id"]
])("a plugin with %s is refused as it is defined", (_what, change, reason) => {
  const description = { name: "acme", apiVersion: 1, contributes: { bridges: [localBridge()] }, ...change }
  expect(() => definePlugin(description)).toThrow(expect.objectContaining({ _tag: "PluginInvalid", reason }))
})
