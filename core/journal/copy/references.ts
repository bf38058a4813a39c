/**
 * What records refer to: blobs, as `blob:<sha256>` anywhere in their text, and definitions, by their digest.
 */

/** Collects references from text. */
export class References {
  readonly blobs = new Set<string>()
  /** Digests of definitions. */
  readonly digests = new Set<string>()
  readonly #known: { readonly has: (digest: string) => boolean }
  readonly #needed = new Set<string>()

  /** Of all that could be a digest only those of `known` definitions are one. */
  constructor(known: { readonly has: (digest: string) => boolean } = new Set()) {
    this.#known = known
  }

  /** Text of a record. */
  add(text: string): void {
    for (const [, blob, hash = ""] of text.matchAll(reference)) {
      if (blob !== undefined) {
        if (this.#needed.has(hash)) continue
        const copy = copyOf(hash)
        this.blobs.add(copy)
        this.#needed.add(copy)
      } else if (this.#known.has(hash) && !this.digests.has(hash)) this.digests.add(copyOf(hash))
    }
  }

  /** Text whose blobs may be on another mob's shelf. */
  addOptional(text: string): void {
    for (const [, blob, hash = ""] of text.matchAll(reference)) if (blob !== undefined) this.blobs.add(copyOf(hash))
  }

  /** Whether nothing but optional text refers to this blob. */
  isOptional(sha256: string): boolean {
    return !this.#needed.has(sha256)
  }
}

const reference = /(blob:)?(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])/g

// A part of a text keeps all of the text in memory.
const copyOf = (hash: string): string => Buffer.from(hash, "latin1").toString("latin1")
