/**
 * All clauses of the store contract, by number. A number is never given to another clause; a new clause gets the next
 * one, whatever its subject.
 */
import { aggregates } from "./aggregates.ts"
import { answers } from "./answers.ts"
import { blobs } from "./blobs.ts"
import { type Clause, unseen } from "./clause.ts"
import { events } from "./events.ts"
import { faults } from "./faults.ts"
import { guards } from "./guards.ts"
import { mobs } from "./mobs.ts"
import { owners } from "./owners.ts"
import { prune } from "./prune.ts"
import { reopening } from "./reopening.ts"
import { crowding, tail } from "./tail.ts"

/** Rises when a clause is added, or says something else. */
export const version = 1

/** What no call of the contract shows: each layer's own tests are to. */
const behind: ReadonlyArray<Clause> = [
  unseen(
    "STORE-066",
    "what was acknowledged by a durable store outlives a killed process and the loss of power",
    "no call kills a process or takes away the power; kill one between two commits"
  ),
  unseen(
    "STORE-067",
    "what is not what was written fails with StoreCorrupted, a blob that is not its hash too, and nothing is changed",
    "no call damages what is kept; flip bits and cut files"
  ),
  unseen(
    "STORE-068",
    "data of another version is refused with SchemaUnsupported, which says both versions",
    "no call writes another version; change the version that is kept"
  ),
  unseen(
    "STORE-069",
    "a store without room fails with StoreFull, stays readable, and goes on by itself when there is room",
    "no call takes away the room; fill up what it is kept on"
  )
]

export const clauses: ReadonlyArray<Clause> = [
  ...owners,
  ...guards,
  ...answers,
  ...events,
  ...tail,
  ...aggregates,
  ...blobs,
  ...prune,
  ...mobs,
  ...reopening,
  ...faults,
  ...behind,
  ...crowding
]
