import { Effect } from "effect"
import { runMember } from "../../../plugins/subprocess/index.ts"
import { Behavior } from "../../../sdk/member/index.ts"

void runMember(Behavior.make("served", {
  run: (name) => {
    if (name === "wait") return Effect.never
    console.log(`greeting ${name}`)
    return Effect.succeed(`${process.env["GREETING"]} ${name}`)
  }
}))
