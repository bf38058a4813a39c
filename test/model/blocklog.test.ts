/**
 * The block log, explored: every order of writers, commits, pruning, second owners, failed writes and crashes at small
 * bounds, and what breaks when one of its rules is left out. `MOB_EFFORT=soak` explores larger bounds.
 */
import { afterAll, describe, expect, it } from "vitest"
import { blockLog } from "./blocklog-model.ts"
import { RULES, type Rules } from "./blocklog-rules.ts"
import type { Budget, Config, World } from "./blocklog-world.ts"
import { type Model, search, walk } from "./search.ts"

const SOAK = process.env["MOB_EFFORT"] === "soak"

const mob = (aggregates: ReadonlyArray<string>, budget: Partial<Budget>, more: Partial<Config> = {}): Config => ({
  mobs: ["m"],
  aggregates,
  budget,
  ...more
})
const two = (budget: Partial<Budget>): Config => ({ mobs: ["m", "n"], aggregates: ["a"], budget })
const both = ["a", "b"]

/** Seen to the last world in the gate. */
const small: ReadonlyArray<readonly [string, Config]> = [
  ["history is removed twice", mob(both, { turn: 3, prune: 2 })],
  ["history is removed, heads are written, the process crashes", mob(["a"], { turn: 3, head: 1, prune: 1, crash: 1 })],
  ["history of two aggregates is removed, the process crashes", mob(both, { turn: 3, prune: 1, crash: 1 })],
  ["a write fails among submissions over two aggregates", mob(both, { turn: 3, fail: 1, pair: 1, wrong: 1 })],
  ["two writes fail, and the process crashes", mob(both, { turn: 2, fail: 2, pair: 1, crash: 1 })],
  [
    "an aggregate ends, is forgotten, and comes again",
    mob(["b"], { turn: 3, end: 1, prune: 1, fail: 1, checkpoint: 1 })
  ],
  ["one aggregate ends beside another, and takes a late entry", mob(both, { turn: 3, end: 1, late: 1, prune: 1 })],
  ["two mobs share a database, and the process crashes", two({ turn: 3, prune: 1, crash: 1 })],
  [
    "another log of the same mob is acquired in the same process",
    mob(["a"], { turn: 3, acquire: 1, fail: 1, prune: 1 })
  ],
  ["a mob is destroyed beside another, and comes again", two({ turn: 2, destroy: 1, acquire: 1 })],
  ["a mob is destroyed while the process crashes", two({ turn: 2, destroy: 1, crash: 1 })],
  ["a second process comes while the first opens again", mob(both, { turn: 3, fail: 1, takeover: 1 })],
  ["a second process comes after the first", mob(["a"], { turn: 3, fail: 1, crash: 1, takeover: 1 })],
  [
    "a second process takes over a store that both hold",
    mob(["a"], { turn: 3, takeover: 1, prune: 1 }, { shared: true })
  ]
]

/** Many more worlds than the gate has time for; it walks through them. */
const large: ReadonlyArray<readonly [string, Config]> = [
  [
    "everything at once",
    mob(both, { turn: 12, pair: 2, wrong: 1, head: 3, end: 2, late: 1, checkpoint: 2, prune: 3, fail: 2, crash: 2 })
  ],
  [
    "owners come and go",
    mob(both, { turn: 10, head: 2, end: 1, prune: 2, fail: 3, crash: 2, acquire: 2, takeover: 2 })
  ],
  ["three mobs", {
    mobs: ["m", "n", "o"],
    aggregates: both,
    budget: { turn: 12, pair: 1, head: 2, end: 2, checkpoint: 2, prune: 4, fail: 2, crash: 2, destroy: 2, acquire: 3 }
  }],
  ["a store that both hold", mob(both, { turn: 10, head: 2, end: 2, prune: 3, takeover: 1 }, { shared: true })]
]

/** Seen as far as the soak's patience goes. */
const wide: ReadonlyArray<readonly [string, Config]> = [
  [
    "history is removed twice, heads are written, the process crashes",
    mob(both, { turn: 4, head: 1, prune: 2, crash: 1 })
  ],
  ["aggregates end and come again", mob(both, { turn: 4, end: 1, prune: 1, fail: 1, checkpoint: 1 })],
  ["aggregates end, the process crashes", mob(both, { turn: 4, end: 1, late: 1, prune: 1, crash: 1 })],
  ["two mobs share a database", two({ turn: 4, head: 1, prune: 1, crash: 1 })],
  ["a second process, and history is removed", mob(both, { turn: 4, fail: 1, crash: 1, takeover: 1, prune: 1 })],
  ["a mob is destroyed while writes fail", two({ turn: 3, destroy: 1, fail: 1, crash: 1, acquire: 1 })],
  ["another log, and failed writes", mob(both, { turn: 4, acquire: 1, fail: 1, prune: 1 })]
]

/** An aggregate has ended and was forgotten while another still needs the block it stands in. */
const forgotten = [
  "opens",
  "turn of b",
  "sync",
  "turn of b",
  "last turn of a",
  "sync",
  "sync",
  "prune m below 2, forget",
  "sync"
]
const again = mob(both, { turn: 5, end: 1, checkpoint: 1, prune: 2 })

const turns: Partial<Budget> = { turn: 3, prune: 1 }

/** What is left out, where that shows, and as what. */
interface Without {
  readonly name: string
  readonly rules: Partial<Rules>
  readonly config: Config
  readonly script?: ReadonlyArray<string>
  readonly breaks: RegExp
}

const without: ReadonlyArray<Without> = [
  {
    name: "the checkpoint follows the delete in a batch of its own",
    rules: { checkpointWithDelete: "after" },
    config: mob(both, { ...turns, crash: 1 }),
    breaks: /position 1 would be given/
  },
  {
    name: "the checkpoint comes before the delete in a batch of its own",
    rules: { checkpointWithDelete: "before" },
    config: mob(both, { ...turns, crash: 1 }),
    breaks: /blocks below the floor were left/
  },
  {
    name: "`seqFloor` is not rewritten when blocks are deleted",
    rules: { keepsSeq: false },
    config: two({ turn: 1, destroy: 1 }),
    breaks: /refused: group 1 was acknowledged, the last one is 0/
  },
  {
    name: "blocks are deleted that still stand in the database's own log",
    rules: { settlesFirst: false },
    config: two(turns),
    breaks: /the loss of group \d+ is not seen/
  },
  {
    name: "a prune minds only events, not live aggregates",
    rules: { mindsNeeds: false },
    config: mob(both, turns),
    breaks: /refused: position 2 is missing/
  },
  {
    name: "what an aggregate needs is a position, not a block",
    rules: { needsBlocks: false },
    config: mob(both, { turn: 4, prune: 1 }),
    breaks: /refused: position 2 is missing/
  },
  {
    name: "a prune does not mind the events that are to be kept",
    rules: { mindsEvents: false },
    config: mob(["a"], { turn: 3, head: 1, prune: 1 }),
    breaks: /events from 2 were to be kept/
  },
  {
    name: "a prune forgets live aggregates",
    rules: { forgetsEnded: false },
    config: mob(both, { turn: 3, end: 1, prune: 1 }),
    breaks: /is live, and forgotten/
  },
  {
    name: "positions and cursors start anew when all was pruned",
    rules: { keepsCounters: false },
    config: mob(["a"], { turn: 2, end: 1, prune: 1 }),
    breaks: /position 1 would be given/
  },
  {
    name: "an aggregate that comes again has entries of its former life",
    rules: { knowsBirths: false },
    config: again,
    script: forgotten,
    breaks: /the head of a does not stand on its entry/
  },
  {
    name: "a head is the newest state in memory, not that of its entry",
    rules: { headsOfEntries: false },
    config: mob(["a"], { turn: 3, head: 1 }),
    breaks: /a cannot be loaded as it was written/
  },
  {
    name: "a head is written before its entry",
    rules: { headsWithEntries: false },
    config: mob(["a"], { turn: 2, crash: 1 }),
    breaks: /the head of a stands on nothing/
  },
  {
    name: "a group is written mob by mob",
    rules: { groupIsOneBatch: false },
    config: two({ turn: 3 }),
    breaks: /group 2 comes after 2/
  },
  {
    name: "the MARK is written before the sync",
    rules: { marksAfterSync: false },
    config: mob(["a"], { turn: 1 }),
    breaks: /refused: group 1 was acknowledged, the last one is 0/
  },
  {
    name: "submitters are told before the sync",
    rules: { acknowledgesAfterSync: false },
    config: mob(["a"], { turn: 1 }),
    breaks: /what was acknowledged at position 1 of m is not there/
  },
  {
    name: "a missing group is not looked for",
    rules: { looksForGaps: false },
    config: two({ turn: 2 }),
    breaks: /the loss of group 1 is not seen/
  },
  {
    name: "each guard of a submission counts for itself",
    rules: { guardsTogether: false },
    config: mob(both, { turn: 2, wrong: 1 }),
    breaks: /half a submission/
  },
  {
    name: "counters and guards stay as they were after a failed write",
    rules: { readsAgain: false },
    config: mob(["a"], { turn: 3, fail: 1 }),
    breaks: /m refuses what its owner knows to be next/
  },
  {
    name: "an owner loads, then acquires",
    rules: { acquiresThenLoads: false },
    config: mob(["a"], { turn: 3, acquire: 1 }),
    breaks: /m refuses what its owner knows to be next/
  },
  {
    name: "a name is taken again before its mob is destroyed",
    rules: { destroysFirst: false },
    config: mob(["a"], { turn: 1, destroy: 1, acquire: 1 }),
    breaks: /a in memory is not what happened/
  },
  {
    name: "the epoch is not compared in the write",
    rules: { comparesEpoch: false },
    config: mob(["a"], { turn: 2, takeover: 1 }, { shared: true }),
    breaks: /owner 1 of m writes, and is fenced/
  },
  {
    name: "the epoch is not compared when the database is opened again",
    rules: { comparesWhenReopened: false },
    config: mob(["a"], { turn: 3, fail: 1, takeover: 1 }),
    breaks: /owner 1 of m writes, and is fenced/
  }
]

/** The world that a script comes to, as the first one. */
const from = (model: Model<World>, script: ReadonlyArray<string>): Model<World> => ({
  ...model,
  initial: () =>
    script.reduce((world, line) => {
      const action = model.actions(world).find(({ label }) => label.startsWith(line))
      if (action === undefined) throw new Error(`no "${line}" here`)
      return action.next()
    }, model.initial())
})

const counts: Array<string> = []
const seed = Number(process.env["MOB_SEED"] ?? (SOAK ? Date.now() % 1_000_000 : 1))

describe("the block log", () => {
  it.each([...small, ...(SOAK ? wide : [])])("%s: no order of events breaks it", (name, config) => {
    const found = search(blockLog(config, RULES), SOAK ? 3_000_000 : 60_000)
    counts.push(`${String(found.states).padStart(8)} worlds: ${name}`)
    expect(found.violation).toBeUndefined()
    expect(found.complete).toBe(true)
  })

  it.each(large)("%s: no random walk breaks it", (name, config) => {
    const walked = walk(blockLog(config, RULES), { walks: SOAK ? 20_000 : 200, length: 200, seed })
    counts.push(`${String(walked.steps).padStart(8)} steps:  ${name}`)
    expect(walked.violation, `seed ${seed}`).toBeUndefined()
    expect(walked.ends).toBeGreaterThan(0)
  })

  it("an aggregate comes again while its former entries are still in the log", () => {
    const found = search(from(blockLog(again, RULES), forgotten), 60_000)
    counts.push(`${String(found.states).padStart(8)} worlds: an aggregate comes again`)
    expect(found).toMatchObject({ violation: undefined, complete: true })
  })

  it.each(without)("breaks when $name", ({ breaks, config, rules, script = [] }) => {
    const found = search(from(blockLog(config, { ...RULES, ...rules }), script), 60_000)
    expect(found.violation?.what).toMatch(breaks)
  })

  // The searches above are worth what they saw.
  afterAll(() => console.info(["block log:", ...counts].join("\n")))
}, SOAK ? 3_600_000 : 60_000)
