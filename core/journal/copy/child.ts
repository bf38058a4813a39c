/**
 * The process that reads a store which may be damaged; see `apart.ts`. Its argument is the question, what it prints the
 * answer. It ends with the process that asks.
 */
import { Effect } from "effect"
import { type Answer, readQuestion, writeFailed } from "./answer.ts"
import { type Repaired, repairShadow, type SalvageError } from "./repair.ts"
import { type Verified, verifyShadow } from "./verify.ts"

process.stdin.once("end", () => process.exit(1)).resume()

const { dir, rescueFirst, salvage, shadow } = readQuestion(process.argv[2])

const asked: Effect.Effect<Verified | Repaired, SalvageError> = salvage === null
  ? verifyShadow(dir, shadow, rescueFirst)
  : repairShadow({ ...salvage, from: dir, shadow }, { names: new Map(salvage.names) }, rescueFirst)

const answer = await Effect.runPromise(Effect.match(asked, {
  onSuccess: (result): Answer => ({ type: "result", result }),
  onFailure: (error): Answer => ({ type: "failed", failed: writeFailed(error) })
}))
process.stdout.write(JSON.stringify(answer), () => process.exit(0))
