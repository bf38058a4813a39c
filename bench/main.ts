/**
 * `npm run bench [actor|steps|journal]`: one bench, or all of them, one after the other.
 */
import { loadavg } from "node:os"
import { benchActor } from "./actor.ts"
import { benchJournal } from "./journal.ts"
import { benchSteps } from "./steps.ts"

const benches: ReadonlyArray<readonly [name: string, run: () => Promise<unknown>]> = [
  ["actor", benchActor],
  ["steps", () => benchSteps(process.argv[3])],
  ["journal", benchJournal]
]

const asked = process.argv[2]
const chosen = benches.filter(([name]) => asked === undefined || asked === name)
if (chosen.length === 0) {
  console.error(`there is no bench ${asked}; there are ${benches.map(([name]) => name).join(", ")}`)
  process.exitCode = 2
}
for (const [name, run] of chosen) {
  console.log(`${name} (load ${loadavg().map((it) => it.toFixed(1)).join(", ")})`)
  await run()
}
