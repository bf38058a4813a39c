/**
 * Random programs under random interleavings: 10,000 at full effort. One number is one program and one interleaving of it;
 * MOB_SEED=<number> runs that one alone. A property that does not hold is shown with the smallest program found.
 */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { seeds } from "../fixtures.ts"
import { program } from "./draw.ts"
import type { Ledger } from "./ledger.ts"
import type { Program } from "./program.ts"
import { PROPERTIES, type Property } from "./records.ts"
import { run } from "./run.ts"

const alone = process.env["MOB_SEED"]
const numbers = alone === undefined ? seeds(300, 10_000) : [Number(alone)]

/** One test looks at all of them. */
const MINUTES = 15 * 60_000
/** Programs tried to find a smaller one. */
const SMALLER = 500

/** What all the runs came to. */
interface Outcome {
  /** The seeds under which a property did not hold. */
  readonly broken: ReadonlyMap<Property, ReadonlyArray<number>>
  /** How often something was reached. */
  readonly reached: ReadonlyMap<string, number>
}

/** The program of that number, and smaller ones as long as `goesOn`. */
const drawn = (number: number, goesOn: (program: Program) => Promise<boolean>) =>
  fc.check(fc.asyncProperty(program(number), goesOn), { seed: number, numRuns: 1 })

const runAll = async (): Promise<Outcome> => {
  const broken = new Map<Property, Array<number>>()
  const reached = new Map<string, number>()
  for (const number of numbers) {
    const { errorInstance, failed } = await drawn(number, async (program) => {
      const ledger = await run(program)
      for (const [what, count] of ledger.reached) reached.set(what, (reached.get(what) ?? 0) + count)
      for (const property of new Set(ledger.violations.map(({ property }) => property))) {
        broken.set(property, [...broken.get(property) ?? [], number])
      }
      return true
    })
    if (failed) throw new Error(`seed ${number} could not be run`, { cause: errorInstance })
  }
  return { broken, reached }
}

/** All runs, once for all tests. */
let outcome: Promise<Outcome> | undefined
const all = () => outcome ??= runAll()

/** Runs `it` while the process's timers and clocks throw; who called them. */
const withoutAmbientTime = async (it: () => Promise<unknown>): Promise<ReadonlyArray<string>> => {
  const callers: Array<string> = []
  const refuse = (name: string) => () => {
    const error = new Error(`${name} was called`)
    callers.push(error.stack ?? name)
    throw error
  }
  const places = [
    [globalThis, "setTimeout"],
    [globalThis, "setInterval"],
    [Date, "now"],
    [performance, "now"]
  ] as const
  const before = places.map(([object, name]) => [object, Object.getOwnPropertyDescriptor(object, name), name] as const)
  for (const [object, name] of places) {
    Object.defineProperty(object, name, { value: refuse(name), configurable: true, writable: true })
  }
  try {
    await it()
  } finally {
    for (const [object, descriptor, name] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(object, name)
      else Object.defineProperty(object, name, descriptor)
    }
  }
  return callers
}

/** The smallest program found that breaks it, and what happened. */
const shown = async (property: Property, broken: ReadonlyArray<number>): Promise<string> => {
  const [number = 0] = broken
  let smallest: { readonly program: Program; readonly ledger: Ledger } | undefined
  let tries = 0
  await drawn(number, async (program) => {
    if (++tries > SMALLER) return true
    const ledger = await run(program)
    const holds = ledger.violations.every((it) => it.property !== property)
    if (!holds) smallest = { program, ledger }
    return holds
  })
  return [
    `seed ${number}; run it alone: MOB_SEED=${number}; broken by ${broken.length} of ${numbers.length} seeds`,
    fc.stringify(smallest?.program),
    ...smallest?.ledger.lines ?? []
  ].join("\n")
}

describe(`random trees and programs, ${numbers.length} interleavings`, () => {
  for (const [property, sentence] of Object.entries(PROPERTIES) as ReadonlyArray<[Property, string]>) {
    it(sentence, async () => {
      const broken = (await all()).broken.get(property)
      if (broken !== undefined) expect.fail(await shown(property, broken))
    }, MINUTES)
  }

  it("reach what they are about", async ({ skip }) => {
    if (alone !== undefined) return skip()
    const { reached } = await all()
    const times = (what: string) => reached.get(what) ?? 0
    for (const what of REACHED) expect(times(what), what).toBeGreaterThan(0)
  }, MINUTES)

  it("ask the process for no time", async () => {
    for (const number of numbers.slice(0, 30)) {
      let program: Program | undefined
      await drawn(number, async (it) => {
        program = it
        return true
      })
      expect(await withoutAmbientTime(() => run(program!))).toEqual([]) // it was drawn
    }
  }, MINUTES)

  it("are the same run under the same seed", async () => {
    for (const number of numbers.slice(0, 30)) {
      const lines: Array<string> = []
      for (let time = 0; time < 2; time++) {
        await drawn(number, async (program) => {
          lines.push((await run(program)).lines.join("\n"))
          return true
        })
      }
      expect(lines[1]).toBe(lines[0])
    }
  }, MINUTES)
})

const REACHED = [
  "a restart",
  "a start that failed",
  "a message put aside",
  "a message taken back",
  "a message that begins again",
  "a message that waited for room",
  "a sender that gave up",
  "a single tick",
  "a periodic tick",
  "a Terminated",
  "a dead letter: crashed",
  "a dead letter: full",
  "a dead letter: stopped",
  "a turn that was given up",
  "a turn that ended after it was given up",
  "an overlap with a turn that was given up",
  "a mailbox counted exactly",
  "an ask: answer",
  "an ask: Refused",
  "an ask: ActorCrashed",
  "an ask: ActorStopped",
  "an ask: AskTimeout",
  "an ask: MailboxFull",
  "an ask: interrupted",
  "an end: Normal",
  "an end: Shutdown",
  "an end: Crashed",
  "at rest: restarting",
  "at rest: stopping",
  "at rest: suspended"
]
