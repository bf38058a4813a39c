/**
 * A mob to decide on, folded as an actor would.
 */
import {
  decideMob,
  evolveMob,
  type MemberState,
  type MobCommand,
  type MobDecision,
  type MobFact,
  type MobReply,
  type MobState
} from "../../../core/machine/mob/index.ts"
import type { Refusal, Send } from "../../../core/machine/protocol.ts"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"

export const id = (name: string) => Identity.make(name)
export const run = (name: string) => RunId.make(name)
export const exit = { code: "member_exited", message: "exit code 1", log: ["last words"] }

/** A mob that commits each decision at once. */
export class Mob {
  state: MobState | undefined
  readonly facts: Array<MobFact> = []
  sends: ReadonlyArray<Send> = []

  decide(command: MobCommand): MobDecision | Refusal {
    return decideMob(this.state, command)
  }

  /** Decides and commits; throws on a refusal. */
  do(command: MobCommand): { readonly facts: ReadonlyArray<MobFact>; readonly reply: MobReply } {
    const decision = this.decide(command)
    if (decision.refused) throw new Error(`${command.type} was refused: ${decision.code}`)
    for (const fact of decision.facts) this.state = evolveMob(this.state, fact)
    this.facts.push(...decision.facts)
    this.sends = decision.sends
    return decision
  }

  /** Decides; the code of the refusal, or undefined. */
  refusal(command: MobCommand): string | undefined {
    const decision = this.decide(command)
    return decision.refused ? decision.code : undefined
  }

  member(identity: string): MemberState {
    const member = this.state?.members.get(id(identity))
    if (member === undefined) throw new Error(`no member ${identity}`)
    return member
  }

  /** What was sent to a member's door by the last decision. */
  told(identity: string): ReadonlyArray<string> {
    return this.sends.flatMap((send) => (send.to === "door" && send.identity === identity ? [send.message.type] : []))
  }

  /** The incarnation of this member is no more. */
  crash(identity: string, at: number, random = 0.5) {
    const { fence } = this.member(identity)
    return this.do({ type: "incarnation_lost", identity: id(identity), fence, exit, at, random })
  }

  admit(name: string, options: { readonly key?: string; readonly explicit?: boolean } = {}) {
    return this.do(admission(name, options))
  }
}

export const admission = (
  name: string,
  { explicit = false, key = `key of ${name}` }: { readonly key?: string; readonly explicit?: boolean } = {}
): Extract<MobCommand, { type: "admit_run" }> => ({
  type: "admit_run",
  run_id: run(name),
  flow_id: FlowId.make("audit"),
  key,
  explicit,
  digest: "d1",
  ended: []
})

/** A running mob with these members, all of the role `worker`. */
export const mob = (...members: ReadonlyArray<string>): Mob => {
  const made = new Mob()
  made.do({
    type: "create",
    at: 0,
    mob_id: MobId.make("audit"),
    digest: "d1",
    base: "/audit",
    epoch: 1,
    members: members.map((name) => ({ identity: id(name), role: "worker", labels: {}, lifetime: "host" }))
  })
  return made
}

export const spawn = (name: string, at = 0): Extract<MobCommand, { type: "spawn" }> => ({
  type: "spawn",
  at,
  identity: id(name),
  role: "worker",
  labels: {},
  lifetime: "host"
})
