/** The names of blobs. */
import { createHash } from "node:crypto"

/** SHA-256 in lower-case hex. */
export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
