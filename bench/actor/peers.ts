/**
 * Peers that may not be there: XState, which has a package.json of its own, and Erlang, which is a program.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { loadXState, type XState } from "../peers/xstate.ts"
import { orLost, type Sample } from "./rows.ts"

/** What gen_server.escript understands. */
type Order = "cast" | "ring" | "call"

/** A gen_server in a process of its own, which does nothing between orders. */
class Erlang {
  private readonly process: ChildProcess
  private readonly answers: AsyncIterator<string>

  constructor() {
    const program = fileURLToPath(new URL("gen_server.escript", import.meta.url))
    const child = spawn("escript", [program], { stdio: ["pipe", "pipe", "inherit"] })
    this.process = child
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** Gives an order for each sample: to do so many of a thing that is so many messages. */
  sample(order: Order, count: number, messages = 1): Sample {
    return async () => {
      this.process.stdin?.write(`${order} ${count}\n`)
      const answer = await orLost(this.answers.next())
      if (answer.done === true) throw new Error("gen_server.escript ended; what it said is above")
      return Number(answer.value) / 1_000 / (count * messages)
    }
  }

  close(): void {
    this.process.stdin?.end()
  }
}

/** The peers that are here. */
export interface Peers {
  readonly xstate: XState | undefined
  readonly erlang: Erlang | undefined
}

/** Looks which peers are here, and says how to get those that are not. */
export const findPeers = async (): Promise<Peers> => {
  const xstate = await loadXState()
  if (xstate === undefined) console.log("     no rows of XState: npm ci --prefix bench/peers installs it")
  const installed = spawnSync("erl", ["-version"]).status === 0
    && spawnSync("escript", ["--version"]).error === undefined
  if (!installed) console.log("     no rows of gen_server: there is no erl here (Debian: apt-get install erlang-base)")
  return { xstate, erlang: installed ? new Erlang() : undefined }
}
