/** The digest of a definition: what a run is pinned to. */
import { Effect } from "effect"
import { canonical, type Json } from "../json.ts"
import type { Definition } from "./schema.ts"

/**
 * sha256, in lower-case hex, of the canonical JSON of the definition in normal form. Schema files count, because
 * they are inlined; the code of behaviours and commands does not. Uses Web Crypto, which every platform has.
 */
export const digestOf = (definition: Definition): Effect.Effect<string> =>
  Effect.promise(async () => {
    // A decoded definition is JSON; what TypeScript sees as perhaps undefined is a key that is not there.
    const text = canonical(definition as Json)
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
    return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
  })
