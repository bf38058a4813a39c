/**
 * The lines of a backup, taken one after the other into a staging area. Each line is what was written; whether all of
 * them are what a store would have written is looked at here too, as a backup may be made by others.
 */
import { Effect } from "effect"
import { MobId } from "../../../sdk/ids.ts"
import type { StoreCorrupted } from "../../../sdk/store.ts"
import type { Secrets } from "../secrets.ts"
import type { Finding } from "./finding.ts"
import { hashOf } from "./hash.ts"
import { type BackupLine, type BlobLine, entryOf, type MobLine } from "./lines.ts"
import { type Numbered, wrongLine } from "./read-lines.ts"
import { References } from "./references.ts"
import type { Staging, StagingError } from "./staging.ts"

/** Which kinds of lines may come after which: those of a mob begin anew with the next one. */
const order = ["header", "mob", "head", "entry", "blob", "definition", "secrets", "end"] as const

/** Takes the lines of a checked backup in order. */
export class Restoring {
  readonly mobs: Array<string> = []
  secrets: Secrets = {}
  readonly #file: string
  readonly #staging: Staging
  /** What the records of the mob under way do not agree on, as they come. */
  readonly #misfits: ReadonlyArray<Finding>
  readonly #heads = new Set<string>()
  /** Blobs of the mob under way, and of all of them. */
  readonly #blobs = new Set<string>()
  readonly #allBlobs = new Set<string>()
  readonly #lost = new Set<string>()
  readonly #definitions = new References()
  #last: BackupLine["type"] = "header"
  #mob: (MobLine & { readonly number: number }) | undefined
  #blob: { readonly sha256: string; readonly bytes: number; readonly pieces: Array<Buffer>; length: number } | undefined

  constructor(file: string, staging: Staging, misfits: ReadonlyArray<Finding>) {
    this.#file = file
    this.#staging = staging
    this.#misfits = misfits
  }

  /** Blobs that its records refer to and that are not in it: they were known to be lost. */
  get lostBlobs(): ReadonlySet<string> {
    return new Set([...this.#lost, ...[...this.#definitions.blobs].filter((sha256) => !this.#allBlobs.has(sha256))])
  }

  /** What must be awaited before the next line, if anything. */
  line({ line, number }: Numbered): Effect.Effect<void, StagingError> | undefined {
    const wrong = (what: string) => Effect.fail(wrongLine(this.#file, number, what))
    const before = this.#last
    this.#last = line.type
    const ofMob = line.type === "head" || line.type === "entry" || line.type === "blob"
    if (line.type === "header" && number > 1) return wrong("there is one header, and it comes first")
    if (ofMob && this.#mob === undefined) return wrong("it is of no mob")
    const follows = order.indexOf(line.type) >= order.indexOf(before)
      || line.type === "mob" && order.indexOf(before) < order.indexOf("definition")
    if (!follows) return wrong(`no ${line.type} line comes after ${before} lines`)
    if (this.#blob !== undefined && line.type !== "blob") return wrong("the blob before it is not whole")
    switch (line.type) {
      case "header":
      case "end":
        return undefined
      case "mob":
        return this.#begin(line, number)
      case "head": {
        const { aggregate, born, position, rev, state, terminal } = line
        if (this.#heads.has(aggregate)) return wrong(`${aggregate} has a head already`)
        this.#heads.add(aggregate)
        this.#staging.head(aggregate, { revision: rev, position, born, terminal, text: JSON.stringify(state) })
        return undefined
      }
      case "entry": {
        const { cursor, position } = this.#staging.next
        if (line.position !== position || line.cursor !== cursor) {
          return wrong(`position ${position} with cursor ${cursor} should come here`)
        }
        this.#staging.entry(entryOf(line))
        return undefined
      }
      case "blob":
        return this.#piece(line, wrong)
      case "definition": {
        const text = JSON.stringify(line.definition)
        this.#definitions.addOptional(text)
        this.#staging.definition(line.digest, text)
        return undefined
      }
      case "secrets":
        this.secrets = line.secrets
        return undefined
    }
  }

  /** The last mob must have all that its record says, and its records must fit together. */
  readonly end: Effect.Effect<void, StoreCorrupted> = Effect.suspend(() => {
    if (this.#mob === undefined) return Effect.void
    const { mob, next_cursor, next_position, number } = this.#mob
    const { cursor, position } = this.#staging.next
    const wrong = (what: string) => Effect.fail(wrongLine(this.#file, number, what))
    if (position !== next_position || cursor !== next_cursor) {
      return wrong(`mob ${mob} goes to position ${next_position - 1}, but what follows ends at ${position - 1}`)
    }
    if (this.#blob !== undefined) return wrong(`the last blob of mob ${mob} is not whole`)
    for (const sha256 of this.#staging.done()) if (!this.#blobs.has(sha256)) this.#lost.add(sha256)
    const [misfit] = this.#misfits
    return misfit === undefined
      ? Effect.void
      : wrong(`mob ${mob} does not fit together: ${misfit.where}: ${misfit.what}`)
  })

  #begin(line: MobLine, number: number): Effect.Effect<void, StagingError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.end
      const wrong = (what: string) => wrongLine(this.#file, number, what)
      const mob = yield* Effect.mapError(MobId.makeEffect(line.mob), () => wrong(`${line.mob} is no name of a mob`))
      if (this.mobs.includes(mob)) return yield* wrong(`mob ${mob} comes twice`)
      yield* this.#staging.begin(mob, { epoch: line.epoch, position: line.oldest, cursor: line.first_cursor })
      this.#heads.clear()
      this.#blobs.clear()
      this.#mob = { ...line, number }
      this.mobs.push(mob)
    })
  }

  #piece(
    line: BlobLine,
    wrong: (what: string) => Effect.Effect<never, StoreCorrupted>
  ): Effect.Effect<void, StagingError> | undefined {
    const blob = this.#blob ?? { ...line, pieces: [], length: 0 }
    if (blob.sha256 !== line.sha256 || blob.bytes !== line.bytes || blob.length !== line.at) {
      return wrong("a piece of this blob is missing before it")
    }
    const piece = Buffer.from(line.data, "base64")
    if (piece.length === 0 && line.bytes > 0) return wrong("it is an empty piece of a blob")
    blob.pieces.push(piece)
    blob.length += piece.length
    this.#blob = blob
    if (blob.length < blob.bytes) return undefined
    this.#blob = undefined
    const bytes = Buffer.concat(blob.pieces)
    if (hashOf(bytes) !== line.sha256) return wrong("the blob does not have the hash that is its name")
    this.#blobs.add(line.sha256)
    this.#allBlobs.add(line.sha256)
    return this.#staging.blob(line.sha256, bytes)
  }
}
