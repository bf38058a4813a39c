/**
 * Members as child processes: the `subprocess` bridge, its plugin, and `runMember`, with which a Node program is one.
 */
import { definePlugin, type Plugin, PLUGIN_API_VERSION } from "../../sdk/plugin.ts"
import { subprocessBridge } from "./bridge.ts"
import type { SubprocessConfig } from "./config.ts"

export { subprocessBridge, type SubprocessBridgeOptions } from "./bridge.ts"
export { SubprocessConfig } from "./config.ts"
export { runMember } from "./member.ts"

/** The subprocess bridge as a plugin. */
const plugin: Plugin<readonly [SubprocessConfig]> = definePlugin({
  name: "mobwright/plugins/subprocess",
  apiVersion: PLUGIN_API_VERSION,
  contributes: { bridges: [subprocessBridge()] }
})
export default plugin
