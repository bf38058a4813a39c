/**
 * Plugins: plain data that says what a package adds to the runtime. So far that is bridges.
 */
import { Schema } from "effect"
import type { MemberBridge } from "./bridge.ts"

/** The plugin interface that this package offers. A plugin made for another one is refused. */
export const PLUGIN_API_VERSION = 1

/** A plugin's description is not usable. It is thrown by `definePlugin`, as the plugin's module is loaded. */
export class PluginInvalid extends Schema.TaggedError<PluginInvalid>()("PluginInvalid", {
  plugin: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "PLUGIN_INVALID"
  override get message() {
    return `plugin ${JSON.stringify(this.plugin)} cannot be used: ${this.reason}`
  }
}

/** What a plugin adds. `Configs` are the configuration types of its bridges. */
export interface Contributions<Configs extends ReadonlyArray<unknown>> {
  readonly bridges: { readonly [Index in keyof Configs]: MemberBridge<Configs[Index]> }
}

/** A plugin: its name, the interface it was made for, what it adds. */
export interface Plugin<Configs extends ReadonlyArray<unknown> = ReadonlyArray<unknown>> {
  /** Lower-case letters, digits, `-`, `.`, `/`, `@`, as packages are named. */
  readonly name: string
  readonly apiVersion: number
  readonly contributes: Contributions<Configs>
}

const NAME = /^[a-z0-9@][a-z0-9@/._-]{0,213}$/

/** Checks a plugin's description and gives it back. Throws {@link PluginInvalid}. */
export const definePlugin = <const Configs extends ReadonlyArray<unknown>>(
  plugin: Plugin<Configs>
): Plugin<Configs> => {
  const { apiVersion, contributes, name } = plugin
  const refuse = (reason: string): never => {
    throw new PluginInvalid({ plugin: String(name), reason })
  }
  if (typeof name !== "string" || !NAME.test(name)) refuse("its name is not one that a package could have")
  if (apiVersion !== PLUGIN_API_VERSION) {
    refuse(`it was made for plugin interface ${apiVersion}, this package offers ${PLUGIN_API_VERSION}`)
  }
  // The mapped tuple of bridges, read one by one; their configuration types do not matter here.
  const ids = (contributes.bridges as ReadonlyArray<Pick<MemberBridge, "id">>).map((bridge) => bridge.id)
  for (const [index, id] of ids.entries()) {
    if (typeof id !== "string" || id === "") refuse("one of its bridges has no id")
    if (ids.indexOf(id) !== index) refuse(`two of its bridges claim the id "${id}"`)
  }
  return plugin
}
