/**
 * The durable protocol, explored: every order of events of small configurations, and random ways through larger ones.
 * `MOB_EFFORT=soak` explores more of both.
 */
import { describe, expect, it } from "vitest"
import {
  both,
  DURABLE,
  DURABLE_REMOTE,
  MEMORY,
  MEMORY_REMOTE,
  NONE,
  NONE_REMOTE,
  sequence,
  step,
  work
} from "./configurations.ts"
import { modelOf } from "./model.ts"
import { productRuns } from "./product-run.ts"
import { search, walk } from "./search.ts"
import { RULES, type Rules } from "./system.ts"
import { type Config, identityOf } from "./world.ts"

const SOAK = process.env["MOB_EFFORT"] === "soak"

/** Seen to the last world in the gate. */
const small: ReadonlyArray<readonly [string, Config]> = [
  ["two steps, the host crashes", step(NONE, { crash: 1 }, { runs: [sequence(2)] })],
  ["the host crashes twice under a remote member", step(MEMORY_REMOTE, { crash: 2 })],
  ["a member crashes", step(NONE, { member: 1 })],
  ["a member that remembers crashes and repeats itself", step(DURABLE, { member: 1, duplicate: 1 })],
  ["a member that forgets is connected to again", step(NONE_REMOTE, { crash: 1 })],
  ["a commit fails", step(NONE, { fail: 1 })],
  ["a run's cell crashes, and its turn times out", step(NONE, { runCell: 1, timeout: 1 })],
  ["a member's cell crashes", step(NONE, { memberCell: 1 })],
  ["an old process lives on", step(MEMORY_REMOTE, { zombie: 1 })],
  ["a run is canceled and the mob stopped", step(NONE, { cancel: 1, stop: 1 })],
  ["a member retires and is spawned again", step(NONE, { retire: 1, spawn: 1 })],
  ["a member is broken", step(NONE, { broken: 1 })],
  ["the mob is completed", step(NONE, { complete: 1 })],
  ["an unknown outcome fails the step", step(DURABLE_REMOTE, { crash: 1 }, { on_unknown: "fail" })],
  ["submitted work, two crashes of the host", work(NONE, { crash: 2 })],
  ["submitted work, a crash and a failed commit", work(MEMORY_REMOTE, { crash: 1, fail: 1 })],
  ["submitted work times out while the mob is stopped", work(NONE, { stop: 1, resume: 1, timeout: 1 })],
  ["submitted work of a member that retires", work(NONE, { retire: 1, spawn: 1, memberCell: 1 })],
  ["two members, all of them", both("all", [NONE, DURABLE_REMOTE], {})]
]

/** Many more worlds than the gate has time for; it walks through them. */
const large: ReadonlyArray<readonly [string, Config]> = [
  ["everything at once, forgetful member", step(NONE, everything(), { runs: [sequence(2)], submits: [identityOf(0)] })],
  [
    "everything at once, remote member",
    step(DURABLE_REMOTE, everything(), { runs: [sequence(2)], submits: [identityOf(0)] })
  ],
  ["everything at once, member with a memory", step(MEMORY, everything(), { runs: [sequence(2)] })],
  [
    "two members, the first to answer",
    both("any", [MEMORY, NONE], { crash: 1, fail: 1, member: 2, retire: 1, timeout: 1 })
  ],
  [
    "two runs of a remote member",
    step(MEMORY_REMOTE, { crash: 2, fail: 1, member: 1, cancel: 1 }, {
      runs: [sequence(2), sequence(1)]
    })
  ]
]

function everything(): Config["budget"] {
  return {
    crash: 2,
    fail: 2,
    member: 2,
    runCell: 1,
    memberCell: 1,
    duplicate: 1,
    timeout: 1,
    cancel: 1,
    retire: 1,
    spawn: 1,
    broken: 1,
    stop: 1,
    resume: 1,
    complete: 1
  }
}

/** With the product's own runs, which cost more time a world. */
const product: ReadonlyArray<readonly [string, Config]> = [
  ["the host crashes", step(NONE, { crash: 1 })],
  ["a member crashes", step(NONE, { member: 1 })],
  ["a commit fails", step(DURABLE_REMOTE, { fail: 1 })],
  ["a member's cell crashes", step(NONE, { memberCell: 1 })],
  ["a run's cell crashes, and its turn times out", step(NONE, { runCell: 1, timeout: 1 })],
  ["a member retires and is spawned again", step(NONE, { retire: 1, spawn: 1 })]
]

const PRODUCT: Rules = { ...RULES, run: productRuns }

const seed = Number(process.env["MOB_SEED"] ?? (SOAK ? Date.now() % 1_000_000 : 1))

describe("the durable protocol", () => {
  it.each(small)("%s: no order of events breaks it", (_, config) => {
    const found = search(modelOf(config), SOAK ? 3_000_000 : 60_000)
    expect(found.violation).toBeUndefined()
    expect(found.complete).toBe(true)
  })

  it.each(large)("%s: no random walk breaks it", (_, config) => {
    const walked = walk(modelOf(config), { walks: SOAK ? 50_000 : 1_000, length: 500, seed })
    expect(walked.violation, `seed ${seed}`).toBeUndefined()
    expect(walked.ends).toBeGreaterThan(0)
  })

  it.each(product)("%s, with the runs of the product: no order of events breaks it", (_, config) => {
    const found = search(modelOf(config, PRODUCT), 60_000)
    expect(found.violation).toBeUndefined()
    expect(found.complete).toBe(true)
  })

  it.each(large)("%s, with the runs of the product: no random walk breaks it", (_, config) => {
    const walked = walk(modelOf(config, PRODUCT), { walks: SOAK ? 10_000 : 200, length: 500, seed })
    expect(walked.violation, `seed ${seed}`).toBeUndefined()
    expect(walked.ends).toBeGreaterThan(0)
  })

  it.skipIf(!SOAK).each(large)("%s: no order of the first events breaks it", (_, config) => {
    expect(search(modelOf(config), 600_000).violation).toBeUndefined()
  }, 600_000)
}, SOAK ? 3_600_000 : 60_000)
