import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  activeRuns,
  decodeMob,
  decodeMobFact,
  encodeMob,
  evolveMob,
  type MobCommand,
  type MobFact,
  type MobState,
  nextRestart,
  projectMob
} from "../../../core/machine/mob/index.ts"
import { admission, exit, id, mob, run, spawn } from "./fixtures.ts"

const names = ["w-1", "w-2", "w-3"]
const identity = fc.constantFrom(...names).map(id)
const runId = fc.constantFrom("r-1", "r-2", "r-3")
const at = fc.nat({ max: 200_000 })

/** Any command, in any order; most make sense now and then. */
const command: fc.Arbitrary<MobCommand> = fc.oneof(
  fc.record({ type: fc.constant("opened" as const), at, epoch: fc.integer({ min: 1, max: 4 }) }),
  fc.constantFrom(...names).map((name) => spawn(name)),
  fc.record({ type: fc.constant("retire" as const), identity }),
  fc.record({ type: fc.constant("restart_due" as const), identity, at }),
  fc.record({
    type: fc.constant("incarnation_lost" as const),
    identity,
    fence: fc.nat({ max: 12 }),
    exit: fc.constantFrom(exit, undefined),
    at,
    random: fc.constant(0.5)
  }),
  fc.record({
    type: fc.constant("drained" as const),
    identity,
    generation: fc.integer({ min: 1, max: 4 }),
    abandoned: fc.nat({ max: 3 })
  }),
  fc.record({ type: fc.constant("break_member" as const), at, identity, cause: fc.constant(exit) }),
  runId.chain((name) => fc.boolean().map((explicit) => admission(name, { explicit }))),
  runId.map((name): MobCommand => ({ type: "run_ended", run: run(name), status: "completed" })),
  fc.constantFrom<MobCommand>({ type: "stop", ended: [] }, { type: "resume" }, { type: "complete" }, {
    type: "destroy"
  })
)

const commands = fc.array(command, { maxLength: 60 })

const fencesOf = (fact: MobFact): ReadonlyArray<number> => {
  if (fact.type === "mob_opened") return fact.members.map((member) => member.fence)
  return fact.type === "member_spawned" || fact.type === "member_incarnated" ? [fact.fence] : []
}

const follow = (list: ReadonlyArray<MobCommand>) => {
  const audit = mob(...names)
  for (const it of list) if (audit.refusal(it) === undefined) audit.do(it)
  return audit
}

describe("whatever is asked of a mob, in whatever order", () => {
  it("R4 fences only rise, and none is given twice", () => {
    fc.assert(fc.property(commands, (list) => {
      const fences = follow(list).facts.flatMap(fencesOf)
      expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    }))
  })

  it("generations of an identity only rise", () => {
    fc.assert(fc.property(commands, (list) => {
      const audit = mob(...names)
      for (const it of list) {
        const before = new Map([...audit.state?.members ?? []].map(([name, member]) => [name, member.generation]))
        if (audit.refusal(it) === undefined) audit.do(it)
        for (const [name, member] of audit.state?.members ?? []) {
          expect(member.generation).toBeGreaterThanOrEqual(before.get(name) ?? 0)
        }
      }
    }))
  })

  it("its facts, written and read, fold to the same state, and its head is that state", () => {
    fc.assert(fc.property(commands, (list) => {
      const audit = follow(list)
      const folded = audit.facts.map((fact) => decodeMobFact(JSON.parse(JSON.stringify(fact))))
        .reduce<MobState | undefined>(evolveMob, undefined)
      if (folded === undefined || audit.state === undefined) throw new Error("no state")
      expect(encodeMob(folded)).toEqual(encodeMob(audit.state))
      const again = decodeMob(JSON.parse(JSON.stringify(encodeMob(folded))))
      expect(encodeMob(again)).toEqual(encodeMob(folded))
      expect(nextRestart(again)).toEqual(nextRestart(folded))
      expect(activeRuns(again).toSorted()).toEqual(activeRuns(folded).toSorted())
      expect(new Map(again.members)).toEqual(new Map(folded.members))
      expect(new Map(again.keys)).toEqual(new Map(folded.keys))
    }))
  })

  it("a decision of the same state is the same", () => {
    fc.assert(fc.property(commands, command, (list, last) => {
      const audit = follow(list)
      expect(audit.decide(last)).toEqual(audit.decide(last))
    }))
  })
})

describe("stored mobs", () => {
  it("a head or a fact of an unknown version is refused", () => {
    const head = encodeMob(mob("w-1").state ?? fail("no mob"))
    expect(() => decodeMob({ ...Object(head), v: 2 })).toThrow()
    expect(() => decodeMobFact({ v: 2, type: "mob_stopped" })).toThrow()
  })

  it("a log that does not start with its creation cannot be folded", () => {
    expect(() => evolveMob(undefined, { v: 1, type: "mob_stopped" })).toThrow("mob_created")
  })
})

const fail = (what: string): never => {
  throw new Error(what)
}

describe("public events of a mob", () => {
  const events = (...list: ReadonlyArray<MobCommand>) => {
    const audit = mob("w-1")
    for (const it of list) audit.do(it)
    let state: MobState | undefined
    return audit.facts.flatMap((fact) => {
      const before = state
      state = evolveMob(before, fact)
      return projectMob(before, fact, state)
    })
  }

  it("tell of members: spawned, crashed, restarted, broken, gone", () => {
    const lost = { type: "incarnation_lost", identity: id("w-1"), fence: 1, exit, at: 0, random: 0.5 } as const
    expect(events(
      lost,
      { type: "restart_due", identity: id("w-1"), at: 100 },
      {
        type: "break_member",
        at: 200,
        identity: id("w-1"),
        cause: { code: "behavior_missing", message: "no file", log: [] }
      },
      { type: "retire", identity: id("w-1") },
      { type: "drained", identity: id("w-1"), generation: 2, abandoned: 0 }
    )).toEqual([
      { type: "mob_created", mob_id: "audit", digest: "d1" },
      { type: "member_spawned", identity: "w-1", generation: 1, fence_token: 1, role: "worker", labels: {} },
      { type: "member_crashed", identity: "w-1", generation: 1, cause: "member_exited: exit code 1" },
      { type: "member_restarted", identity: "w-1", generation: 2, fence_token: 2 },
      { type: "member_broken", identity: "w-1", generation: 2, cause: "behavior_missing: no file" },
      { type: "member_retiring", identity: "w-1", generation: 2, role: "worker" },
      { type: "member_retired", identity: "w-1", generation: 2, role: "worker" }
    ])
  })

  it("tell of the mob: opened, revised, stopped, resumed, destroying, destroyed", () => {
    const all = events(
      { type: "opened", at: 0, epoch: 2 },
      { type: "revise", digest: "d2", base: "/moved" },
      { type: "revise", digest: "d2", base: "/moved/again" },
      { type: "stop", ended: [] },
      { type: "resume" },
      { type: "destroy" },
      { type: "drained", identity: id("w-1"), generation: 2, abandoned: 0 }
    )
    expect(all.map((event) => event["type"])).toEqual([
      "mob_created",
      "member_spawned",
      "mob_opened",
      "mob_revised",
      "mob_stopped",
      "mob_resumed",
      "mob_destroying",
      "member_retiring",
      "member_retired",
      "mob_destroyed"
    ])
  })
})
