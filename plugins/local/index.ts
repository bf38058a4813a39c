/**
 * Members in this process: the `local` bridge and its plugin.
 */
import { definePlugin, type Plugin, PLUGIN_API_VERSION } from "../../sdk/plugin.ts"
import { localBridge, type LocalConfig } from "./bridge.ts"

export { localBridge, type LocalBridgeOptions, type LocalBridgeServices, LocalConfig } from "./bridge.ts"

/** The local bridge as a plugin: behaviours are found by path alone. */
const plugin: Plugin<readonly [LocalConfig]> = definePlugin({
  name: "mobwright/plugins/local",
  apiVersion: PLUGIN_API_VERSION,
  contributes: { bridges: [localBridge()] }
})
export default plugin
