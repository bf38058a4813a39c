/**
 * Saving what is intact of a damaged data directory into a new one. Nothing is written that did not pass its checksum,
 * and whatever is not there any more is listed.
 */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { reasonOf } from "../attempt.ts"
import { blobFiles } from "../blob-files.ts"
import { DataFolderUnusable } from "../errors.ts"
import { MarkFile } from "../folder.ts"
import { holdLevel } from "../level.ts"
import { changeSecrets, readSecrets, type SecretsBusy, secretsFile, type SecretsUnsafe } from "../secrets.ts"
import { missingCommits } from "./commits.ts"
import type { NameUnusable, NoRoom } from "./errors.ts"
import { type Finding, findings } from "./finding.ts"
import { type Loss, lossesIn } from "./loss.ts"
import { addLostBlobs } from "./lost-blobs.ts"
import { openShadow } from "./shadow.ts"
import { staging, type StagingError } from "./staging.ts"
import { type Survey, survey } from "./survey.ts"
import { type RepairedMob, writeSalvage } from "./write-salvage.ts"

/** What a repair came to. */
export interface Repaired {
  readonly from: string
  readonly to: string
  readonly mobs: ReadonlyArray<RepairedMob>
  readonly lost: ReadonlyArray<Loss>
  readonly findings: ReadonlyArray<Finding>
}

/** Options of a repair. */
export interface RepairOptions {
  /** Names of mobs whose record cannot be read, by number. */
  readonly names?: ReadonlyMap<number, string>
}

/** What writing what is intact can fail with. */
export type SalvageError = StagingError | NameUnusable | NoRoom | SecretsUnsafe | SecretsBusy

/** Writes what is intact of the shadow of a data directory into `draft`, an empty folder that will be `to`. */
export const repairShadow = Effect.fnUntraced(
  function*(
    { draft, from, shadow, to }: {
      readonly from: string
      readonly shadow: string
      readonly draft: string
      readonly to: string
    },
    { names = new Map() }: RepairOptions,
    rescueFirst: boolean
  ): Effect.fn.Return<Repaired, SalvageError> {
    const { find, gaps, later, list } = findings((text) => text.replaceAll(shadow, from))
    const lost: Array<Loss> = []
    const mobs = yield* Effect.scoped(Effect.gen(function*() {
      const reads = yield* openShadow(from, shadow, find, rescueFirst)
      const found = reads === undefined ? nothing : yield* survey(reads, find)
      // No damage: what this program would leave out is what the later one needs.
      const [newer] = later
      if (newer !== undefined) return yield* newer
      const mobs = yield* staging({ ...holdLevel(draft, undefined), name: to }, (staging) =>
        Effect.gen(function*() {
          const shelf = blobFiles(shadow)
          const mobs = reads === undefined ? [] : yield* writeSalvage({ reads, shelf, staging, lost }, found, names)
          yield* staging.publish(Effect.void)
          return mobs
        }))
      lost.push(...lossesIn(gaps, found))
      for (const [first, last] of missingCommits(found, new MarkFile(shadow).read())) {
        lost.push({ type: "commits", first, last })
      }
      return mobs
    }))
    yield* Effect.try({
      try: () => addLostBlobs(draft, lost.flatMap((loss) => loss.type === "blob" ? [loss.sha256] : [])),
      catch: (error) => new DataFolderUnusable({ dir: to, reason: reasonOf(error) })
    })
    const reason = yield* copySecrets(from, draft)
    if (reason !== undefined) lost.push({ type: "secrets", reason })
    return { from, to, mobs, lost, findings: list }
  }
)

const nothing: Survey = {
  seqFloor: undefined,
  registry: new Map(),
  unreadable: [],
  mobs: new Map(),
  pins: new Map(),
  damagedPins: []
}

/** Gives why they could not be read. */
const copySecrets = Effect.fnUntraced(
  function*(
    from: string,
    to: string
  ): Effect.fn.Return<string | undefined, DataFolderUnusable | SecretsUnsafe | SecretsBusy> {
    if (!existsSync(join(from, secretsFile))) return undefined
    const secrets = yield* Effect.result(readSecrets(from))
    if (secrets._tag === "Failure") return secrets.failure.message
    yield* changeSecrets(to, () => secrets.success)
    return undefined
  }
)
