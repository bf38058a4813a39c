import { Effect } from "effect"
import { Behavior } from "../../../sdk/member/index.ts"

export default Behavior.make("default", { run: (text) => Effect.succeed(`default ${text}`) })
