/**
 * The process that reads a store which may be damaged; see `apart.ts`. Its argument is the question, what it prints the
 * answer.
 */
import { Effect, Schema } from "effect"
import { type Answer, Question } from "./apart.ts"
import { type Repaired, type RepairError, repairShadow } from "./repair.ts"
import { type Verified, verifyShadow } from "./verify.ts"

const { dir, names, rescueFirst, shadow, to } = Schema.decodeUnknownSync(Question)(process.argv[2])

const asked: Effect.Effect<Verified | Repaired, RepairError> = to === undefined
  ? verifyShadow(dir, shadow, rescueFirst)
  : repairShadow(dir, shadow, to, { names: new Map(names) }, rescueFirst)

const answer: Answer = await Effect.runPromise(Effect.match(asked, {
  onSuccess: (result): Answer => ({ result }),
  onFailure: ({ code, message }): Answer => ({ failed: { code, message } })
}))
process.stdout.write(JSON.stringify(answer))
