/**
 * What records refer to: blobs, as `blob:<sha256>` anywhere in their text, and definitions, by their digest.
 */

/** Collects references from text. */
export class References {
  readonly blobs = new Set<string>()
  /** Everything that could be a digest. */
  readonly digests = new Set<string>()
  readonly #needed = new Set<string>()

  /** Text of a record. */
  add(text: string): void {
    for (const [, blob, hash = ""] of text.matchAll(reference)) {
      if (blob === undefined) {
        this.digests.add(hash)
        continue
      }
      this.blobs.add(hash)
      this.#needed.add(hash)
    }
  }

  /** Text whose blobs may be on another mob's shelf. */
  addOptional(text: string): void {
    for (const [, blob, hash = ""] of text.matchAll(reference)) {
      if (blob !== undefined) this.blobs.add(hash)
    }
  }

  /** Whether nothing but optional text refers to this blob. */
  isOptional(sha256: string): boolean {
    return !this.#needed.has(sha256)
  }
}

const reference = /(blob:)?(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])/g
