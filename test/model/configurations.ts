/**
 * Configurations that the searches explore: which flow, which members, which faults.
 */
import type { Plan } from "./run-owner.ts"
import { type Config, identityOf, type MemberKind } from "./world.ts"

export const NONE: MemberKind = { keeps: "none", remote: false }
export const NONE_REMOTE: MemberKind = { keeps: "none", remote: true }
export const MEMORY: MemberKind = { keeps: "memory", remote: false }
export const MEMORY_REMOTE: MemberKind = { keeps: "memory", remote: true }
export const DURABLE: MemberKind = { keeps: "durable", remote: false }
export const DURABLE_REMOTE: MemberKind = { keeps: "durable", remote: true }

/** Steps of the first member, one after another. */
export const sequence = (steps: number): Plan =>
  Array.from({ length: steps }, (_, index) => ({
    after: index === 0 ? [] : [index - 1],
    targets: [identityOf(0)],
    join: "all"
  }))

/** One step of two members. */
export const fan = (join: "all" | "any"): Plan => [{ after: [], targets: [identityOf(0), identityOf(1)], join }]

const config = (given: Partial<Config>): Config => ({
  runs: [],
  members: [NONE],
  submits: [],
  budget: {},
  on_unknown: "redeliver",
  ...given
})

/** A run of one step. */
export const step = (member: MemberKind, budget: Config["budget"], given: Partial<Config> = {}): Config =>
  config({ runs: [sequence(1)], members: [member], budget, ...given })

/** Work submitted to one member. */
export const work = (member: MemberKind, budget: Config["budget"]): Config =>
  config({ members: [member], submits: [identityOf(0)], budget })

/** Two members, one step. */
export const both = (
  join: "all" | "any",
  members: readonly [MemberKind, MemberKind],
  budget: Config["budget"]
): Config => config({ runs: [fan(join)], members, budget })
