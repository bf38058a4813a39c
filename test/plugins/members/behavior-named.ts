import { Effect } from "effect"
import { Behavior } from "../../../sdk/member/index.ts"

export default "not a behaviour"
export const behavior = Behavior.make("named", { run: (text) => Effect.succeed(`named ${text}`) })
