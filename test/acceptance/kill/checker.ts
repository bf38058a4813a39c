/** A behaviour that puts every execution on record, as the members that are processes do. */
import { Effect } from "effect"
import { appendFileSync } from "node:fs"
import { Behavior } from "../../../sdk/behavior.ts"

const MILLIS = 15

export default Behavior.make("checker", {
  run: (text, turn) =>
    Effect.map(Effect.sleep(MILLIS), () => {
      const line = {
        pid: process.pid,
        identity: "checker-1",
        what: "executed",
        input: turn.inputId,
        fence: turn.fence
      }
      appendFileSync(process.env["MOB_TEST_RECORD"] ?? "", `${JSON.stringify(line)}\n`)
      return `${text.length} characters`
    })
})
