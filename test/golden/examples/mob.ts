/**
 * What a mob stores in its newest version: facts by hand, so that each has all it can have, and heads of mobs that the
 * machine took there.
 */
import { encodeMob, type MobFact } from "../../../core/machine/mob/index.ts"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { id, mob, run } from "../../machine/mob/fixtures.ts"

const at = 1735732800250
const identity = Identity.make("the editor")
const digest = "0f".repeat(32)
const cause = { code: "member_exited", message: "exit code 1", log: ["one line", "\u2028 last words"] }
const process = { pid: 4711, pgid: 4711, start_ticks: 123456, boot_id: "5e6c7a10-0000-4000-8000-000000000000" }
const run_id = RunId.make("r1")

/** Facts of every type. */
export const mobFacts: ReadonlyArray<MobFact> = [
  { v: 1, type: "mob_created", mob_id: MobId.make("newsroom"), digest, base: "/srv/newsroom", epoch: 1 },
  { v: 1, type: "mob_opened", at, epoch: 2, members: [] },
  { v: 1, type: "mob_opened", at, epoch: 3, members: [{ identity, generation: 2, fence: 5 }] },
  { v: 1, type: "mob_revised", digest, base: "/srv/newsroom" },
  { v: 1, type: "mob_stopped" },
  { v: 1, type: "mob_resumed" },
  { v: 1, type: "mob_ending", ending: "completed" },
  { v: 1, type: "mob_ending", ending: "destroyed" },
  { v: 1, type: "mob_completed" },
  { v: 1, type: "mob_destroyed" },
  {
    v: 1,
    type: "member_spawned",
    at,
    identity,
    role: "editor",
    labels: { desk: "culture", "10": "ten" },
    lifetime: "host",
    generation: 1,
    fence: 1
  },
  {
    v: 1,
    type: "member_spawned",
    at,
    identity,
    role: "editor",
    labels: {},
    lifetime: "remote",
    generation: 2,
    fence: 4
  },
  { v: 1, type: "member_crashed", at, identity, generation: 1, fence: 1, cause, restart_at: at + 100.5 },
  { v: 1, type: "member_incarnated", at, identity, generation: 2, fence: 2, after: "crash" },
  { v: 1, type: "member_incarnated", at, identity, generation: 3, fence: 3, after: "door_start" },
  { v: 1, type: "member_broken", at, identity, generation: 3, cause },
  { v: 1, type: "process_recorded", identity, fence: 3, process },
  { v: 1, type: "member_retiring", identity, generation: 3 },
  { v: 1, type: "member_retired", identity, generation: 3, abandoned: 2 },
  { v: 1, type: "run_admitted", run_id, flow_id: FlowId.make("article"), key: "monday", explicit: true, digest },
  { v: 1, type: "run_released", run_id, status: "completed" },
  { v: 1, type: "run_released", run_id, status: "failed" },
  { v: 1, type: "run_released", run_id, status: "canceled" },
  { v: 1, type: "run_unreadable", run_id, cause: "the run cannot be read: no frame r1-root" },
  { v: 1, type: "keys_forgotten", keys: ["monday", "ünicode 😀"] }
]

/** Heads of a mob, as they are stored: at its beginning, in the middle of everything, stopped, ending and at its end. */
export const mobHeads = (): ReadonlyArray<Json> => {
  const heads: Array<Json> = []
  const one = mob("w-1", "w-2", "w-3")
  const keep = () => heads.push(encodeMob(one.state ?? never()))
  keep()
  one.do({
    type: "spawn",
    at,
    identity: id("far"),
    role: "reviewer",
    labels: { shift: "day" },
    lifetime: "remote"
  })
  one.do({ type: "process_started", identity: id("w-1"), fence: one.member("w-1").fence, process })
  one.crash("w-2", 5_000)
  keep()
  one.do({ type: "break_member", at: 6_000, identity: id("w-3"), cause })
  one.admit("r1", { key: "monday", explicit: true })
  one.admit("r2")
  one.admit("r3", { key: "tuesday", explicit: true })
  one.do({ type: "run_ended", run: run("r1"), status: "completed" })
  one.do({ type: "spawn", at, identity: id("temp"), role: "worker", labels: {}, lifetime: "host" })
  one.do({ type: "retire", identity: id("temp") })
  one.do({ type: "drained", identity: id("temp"), generation: 1, abandoned: 1 })
  one.do({ type: "retire", identity: id("w-2") })
  keep()
  one.do({ type: "opened", at: 9_000, epoch: 2 })
  keep()
  one.do({ type: "destroy" })
  keep()
  const two = mob("w-1")
  two.do({ type: "stop", ended: [] })
  heads.push(encodeMob(two.state ?? never()))
  two.do({ type: "resume" })
  two.admit("r4")
  two.do({ type: "complete" })
  heads.push(encodeMob(two.state ?? never()))
  return heads
}

const never = (): never => {
  throw new Error("there is a state after the first decision")
}
