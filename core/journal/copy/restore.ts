/**
 * Restoring: mobs of a backup come into a data directory, all of them or none, with the positions, cursors, heads and
 * history that they had. Their owner epochs go on above those of the backup.
 */
import { Effect } from "effect"
import { MobId } from "../../../sdk/ids.ts"
import { type StoreError } from "../../../sdk/store.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { holdLevel } from "../level.ts"
import type { Medium } from "../medium.ts"
import { readSecrets, type SecretsError, writeSecrets } from "../secrets.ts"
import type { BackupFileUnusable, TargetTaken } from "./errors.ts"
import { hashOf } from "./hash.ts"
import { type Counts, entryOf, type MobLine } from "./lines.ts"
import { type Numbered, readBackup, wrongLine } from "./read-lines.ts"
import { type Staging, staging } from "./staging.ts"

/** What came into a store. */
export interface Restored extends Counts {
  readonly mobs: ReadonlyArray<string>
  /** Names of secrets that came with it, and of those that were there already and stayed as they were. */
  readonly secrets: ReadonlyArray<string>
  readonly kept_secrets: ReadonlyArray<string>
}

/** What restoring can fail with. Nothing of the backup is in the store then. */
export type RestoreError = StoreError | DataFolderUnusable | BackupFileUnusable | TargetTaken | SecretsError

/**
 * Brings the mobs of a backup into a data directory, made if it is not there, that nobody holds and that has no mob of
 * these names. The whole backup is checked before anything is written.
 */
export const restore = Effect.fn("Journal.restore")(
  function*(file: string, dir: string): Effect.fn.Return<Restored, RestoreError> {
    return yield* restoreInto(holdLevel(dir, undefined), dir, file)
  }
)

/** As {@link restore}, for a backup of one mob. */
export const importMob = restore

/** Restores into a medium; `dir` is where its secrets are, if it has any. */
export const restoreInto = Effect.fnUntraced(
  function*(medium: Medium, dir: string | undefined, file: string): Effect.fn.Return<Restored, RestoreError> {
    yield* readBackup(file, () => Effect.void)
    return yield* staging(medium, (staging) =>
      Effect.gen(function*() {
        const restoring = new Restoring(file, staging)
        const counts = yield* readBackup(file, (lines) =>
          Effect.gen(function*() {
            for (const line of lines) {
              const wait = restoring.line(line)
              if (wait !== undefined) yield* wait
            }
            yield* staging.flush
          }))
        yield* restoring.end
        const { mobs, secrets } = restoring
        const there = dir === undefined ? {} : yield* readSecrets(dir)
        yield* staging.publish(
          dir === undefined || Object.keys(secrets).every((name) => name in there)
            ? Effect.void
            : writeSecrets(dir, { ...secrets, ...there })
        )
        const names = Object.keys(secrets)
        return {
          mobs,
          ...counts,
          secrets: names.filter((name) => !(name in there)),
          kept_secrets: names.filter((name) => name in there)
        }
      }))
  }
)

/** Takes the lines of a checked backup in order. */
class Restoring {
  readonly mobs: Array<string> = []
  secrets: Readonly<Record<string, string>> = {}
  readonly #file: string
  readonly #staging: Staging
  #mob: MobLine | undefined
  #blob: { readonly sha256: string; readonly bytes: number; readonly pieces: Array<Buffer>; length: number } | undefined

  constructor(file: string, staging: Staging) {
    this.#file = file
    this.#staging = staging
  }

  /** What must be awaited before the next line, if anything. */
  line({ line, number }: Numbered): Effect.Effect<void, RestoreError> | undefined {
    const wrong = (what: string) => Effect.fail(wrongLine(this.#file, number, what))
    switch (line.type) {
      case "header":
      case "end":
        return undefined
      case "mob":
        return this.#begin(line, number)
      case "head": {
        if (this.#mob === undefined) return wrong("it is of no mob")
        const { aggregate, born, position, rev, state, terminal } = line
        this.#staging.head(aggregate, { revision: rev, position, born, terminal, text: JSON.stringify(state) })
        return undefined
      }
      case "entry": {
        if (this.#mob === undefined) return wrong("it is of no mob")
        const { cursor, position } = this.#staging.next
        if (line.position !== position || line.cursor !== cursor) {
          return wrong(`position ${position} with cursor ${cursor} should come here`)
        }
        this.#staging.entry(entryOf(line))
        return undefined
      }
      case "blob": {
        const blob = line.at === 0 ? { ...line, pieces: [], length: 0 } : this.#blob
        if (blob === undefined || blob.sha256 !== line.sha256 || blob.length !== line.at) {
          return wrong("a piece of this blob is missing before it")
        }
        const piece = Buffer.from(line.data, "base64")
        blob.pieces.push(piece)
        blob.length += piece.length
        this.#blob = blob
        if (blob.length < blob.bytes) return undefined
        this.#blob = undefined
        const bytes = Buffer.concat(blob.pieces)
        if (hashOf(bytes) !== line.sha256) return wrong("the blob does not have the hash that is its name")
        return this.#staging.blob(line.sha256, bytes)
      }
      case "definition":
        this.#staging.definition(line.digest, JSON.stringify(line.definition))
        return undefined
      case "secrets":
        this.secrets = line.secrets
        return undefined
    }
  }

  /** The last mob must have all that its record says. */
  readonly end: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    if (this.#mob === undefined) return Effect.void
    const { cursor, position } = this.#staging.next
    return position === this.#mob.next_position && cursor === this.#mob.next_cursor && this.#blob === undefined
      ? Effect.void
      : Effect.fail(wrongLine(this.#file, 1, `mob ${this.#mob.mob} ends at position ${position - 1}, before its end`))
  })

  #begin(line: MobLine, number: number): Effect.Effect<void, RestoreError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.end
      const mob = yield* Effect.mapError(
        MobId.makeEffect(line.mob),
        () => wrongLine(this.#file, number, `${line.mob} is no name of a mob`)
      )
      yield* this.#staging.begin(mob, { epoch: line.epoch, position: line.oldest, cursor: line.first_cursor })
      this.#mob = line
      this.mobs.push(mob)
    })
  }
}
