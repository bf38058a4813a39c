/**
 * Definitions of a mob: the one in force for new runs, and those that stored runs are pinned to, compiled once each.
 */
import { Effect } from "effect"
import type { Definition } from "../../sdk/definition/index.ts"
import type { FlowId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import { validateSchema } from "../flow/index.ts"
import { compileFlow, type FlowPlan } from "../machine/run/index.ts"
import { readPinned } from "./stored.ts"

/** A definition with its digest and folder. */
export interface InForce {
  readonly definition: Definition
  readonly digest: string
  readonly base: string
}

/** What flows of a mob mean. Grows with the definitions that were in force while this process lived. */
export class Plans {
  /** In force for new runs. */
  inForce: InForce
  private readonly log: MobLog
  private readonly compiled = new Map<string, FlowPlan>()
  private readonly pinned = new Map<string, Definition>()

  constructor(log: MobLog, inForce: InForce) {
    this.log = log
    this.inForce = inForce
    this.pinned.set(inForce.digest, inForce.definition)
  }

  /** The compiled flow of a definition that is in force or pinned. */
  of(definition: Definition, digest: string, flow: FlowId): FlowPlan {
    const key = `${digest}/${flow}`
    const known = this.compiled.get(key)
    if (known !== undefined) return known
    const plan = compileFlow(definition, flow, digest, validateSchema)
    this.compiled.set(key, plan)
    return plan
  }

  /** The plan a stored run is pinned to. Fails when its definition is not in the store. */
  readonly ofPinned = (digest: string, flow: FlowId): Effect.Effect<FlowPlan, StoreError> =>
    Effect.map(this.definition(digest), (definition) => this.of(definition, digest, flow))

  private definition(digest: string): Effect.Effect<Definition, StoreError> {
    const known = this.pinned.get(digest)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(readPinned(this.log, digest), (definition) => {
      this.pinned.set(digest, definition)
      return definition
    })
  }

  /** Another definition of the same id takes effect for new runs. */
  revise(inForce: InForce): void {
    this.inForce = inForce
    this.pinned.set(inForce.digest, inForce.definition)
  }
}
