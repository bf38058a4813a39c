/** Bridges by id. Discovery and loading of plugins come with the plugin issue. */
export { type AnyBridge, BridgeIdTaken, Bridges } from "./bridges.ts"
