/**
 * What a cell costs, against raw nact, Effect's Queue, XState, Erlang's gen_server and no actor at all.
 *
 * Floor and ours alternate within one process; each row is the median of the pair ratios with its middle half, then the
 * medians of both, and what the ratio must be. Cells are complete ones: nact actor, bounded mailbox, supervision, tap,
 * dead letters, production run queue. A row that does not see all it sent handled fails.
 */
import { Effect, Layer, type Scope } from "effect"
import { ActorSystem, Dispatcher } from "../core/actor/index.ts"
import { benchAsk } from "./actor/ask.ts"
import { benchBehaviour } from "./actor/behaviour.ts"
import { benchChildren } from "./actor/children.ts"
import { benchCosts } from "./actor/costs.ts"
import { benchDynamic } from "./actor/dynamic.ts"
import { findPeers } from "./actor/peers.ts"
import { benchRestarts } from "./actor/restarts.ts"
import { benchRing } from "./actor/ring.ts"
import { benchTap } from "./actor/tap.ts"
import { benchTell } from "./actor/tell.ts"
import { benchTimers } from "./actor/timers.ts"

const system = ActorSystem.layer.pipe(Layer.provide(Dispatcher.layer))

/** Measures and prints all rows, or those of the section that the command line names. */
export const benchActor = async (): Promise<void> => {
  const peers = await findPeers()
  const sections: Readonly<Record<string, Effect.Effect<void, unknown, ActorSystem | Scope.Scope>>> = {
    tell: benchTell(peers),
    ring: benchRing(peers),
    behaviour: benchBehaviour,
    ask: benchAsk(peers),
    tap: benchTap,
    children: benchChildren,
    restarts: benchRestarts,
    timers: benchTimers,
    costs: benchCosts,
    dynamic: benchDynamic
  }
  const { 3: only } = process.argv
  const names = Object.keys(sections)
  if (only !== undefined && !names.includes(only)) {
    console.error(`there is no section ${only}; there are ${names.join(", ")}`)
    process.exitCode = 2
  }
  try {
    for (const [name, section] of Object.entries(sections)) {
      if (only === undefined || only === name) await Effect.runPromise(Effect.scoped(Effect.provide(section, system)))
    }
  } finally {
    peers.erlang?.close()
  }
}
