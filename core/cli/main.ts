#!/usr/bin/env node
/**
 * The `mob` command: the process around it. Its exit code, its signals, and what it says when it fails; what it does
 * stands in `commands.ts`.
 */
// By its own module: the package as a whole takes most of a second to load.
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { runCommandLine } from "./commands.ts"
import { endOf, ExitCode } from "./failure.ts"
import { type Signal, Signals } from "./signals.ts"

const args = process.argv.slice(2)
const asJson = args.includes("--json")

// Whoever reads us may stop reading, as `head` does; that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.done)
    throw error
  })
}

const first = Deferred.makeUnsafe<Signal>()
let claimed = false
let signals = 0

const fiber = Effect.runFork(
  runCommandLine(args).pipe(
    Effect.provideService(Signals, {
      first: Effect.suspend(() => {
        claimed = true
        return Deferred.await(first)
      })
    }),
    Effect.provide(NodeServices.layer)
  )
)

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    signals += 1
    if (signals > 1) process.exit(ExitCode.interrupted)
    Deferred.doneUnsafe(first, Effect.succeed(signal))
    if (!claimed) Effect.runFork(Fiber.interrupt(fiber))
  })
}

fiber.addObserver((exit) => {
  const end = endOf(exit, asJson)
  process.stderr.write(end.text)
  if (process.env["MOB_DEBUG"] === "1" && Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exit(end.exit)
})
