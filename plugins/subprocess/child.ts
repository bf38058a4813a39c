/**
 * One child process in a process group of its own.
 *
 * Node's `child_process` is used directly: the record of a child must be read before Node collects it, signals go to
 * its group, and its standard error is drained whatever happens. An adapter, so it uses ambient time.
 */
import { Effect } from "effect"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import type { ProcessRecord } from "../../sdk/bridge.ts"
import { fromStreams, type Transport } from "../../sdk/protocol/index.ts"
import type { SubprocessConfig } from "./config.ts"
import { groupMembers, killGroup, recordOf, signalGroup } from "./group.ts"
import type { MemberLog } from "./log.ts"

/** Milliseconds in which a killed group must be gone, and in which the output of a dead child must end. */
const KILL_WAIT = 5000
const OUTPUT_WAIT = 1000

/** How a child ended. */
export interface ChildExit {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** Why a child could not be started. */
interface SpawnFailure {
  readonly cause_code: "command_not_found" | "command_not_executable" | "spawn_failed"
  readonly reason: string
}

/** A started child. */
export class Child {
  readonly transport: Transport
  readonly record: ProcessRecord | undefined
  readonly #pid: number
  /** Resolves when the child has ended, its output has been read and nobody of its group is alive. */
  readonly gone: Promise<ChildExit>

  constructor(process: ChildProcessWithoutNullStreams, pid: number, log: MemberLog) {
    this.#pid = pid
    this.record = recordOf(pid)
    this.transport = fromStreams(process.stdout, process.stdin)
    process.stderr.on("data", (chunk: Uint8Array) => log.bytes(chunk))
    process.stderr.on("error", () => {})
    const exited = new Promise<ChildExit>((settle) => {
      process.once("exit", (status, signal) => settle({ status, signal }))
    })
    const closed = new Promise<void>((settle) => process.once("close", () => settle()))
    this.gone = exited.then(async (exit) => {
      // The leader is gone, so the member is; what it left behind ends with it, and with that the pipes close.
      await killGroup(pid, KILL_WAIT)
      if (!await within(closed, OUTPUT_WAIT)) {
        // A process that left the group holds a pipe open.
        process.stdout.destroy()
        process.stderr.destroy()
        process.stdin.destroy()
      }
      return exit
    })
  }

  /** Pids of the group that are alive. */
  get alive(): ReadonlyArray<number> {
    return groupMembers(this.#pid)
  }

  /** Signals the whole group. */
  signal(signal: NodeJS.Signals): void {
    signalGroup(this.#pid, signal)
  }

  /** Waits for its end for at most `millis`. */
  goneWithin(millis: number): Promise<boolean> {
    return within(this.gone, millis)
  }

  /** Kills the group and awaits its end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.goneWithin(KILL_WAIT + OUTPUT_WAIT)
  }
}

const within = (promise: Promise<unknown>, millis: number): Promise<boolean> =>
  new Promise((settle) => {
    const timer = setTimeout(() => settle(false), millis)
    void promise.then(() => {
      clearTimeout(timer)
      settle(true)
    })
  })

const failure = (program: string, base: string, error: NodeJS.ErrnoException): SpawnFailure => {
  if (!existsSync(base)) return { cause_code: "spawn_failed", reason: `the folder ${base} is not there` }
  switch (error.code) {
    case "ENOENT":
      return {
        cause_code: "command_not_found",
        reason: program.includes("/") ? `there is no program ${program}` : `there is no ${program} on PATH`
      }
    case "EACCES":
      return { cause_code: "command_not_executable", reason: `${program} may not be executed; check its permissions` }
    default:
      return { cause_code: "spawn_failed", reason: `${program} could not be started: ${error.message}` }
  }
}

/** Starts a child as the configuration says. It is not interruptible, so that no child is started and forgotten. */
export const startChild = (
  config: SubprocessConfig,
  base: string,
  log: MemberLog
): Effect.Effect<Child, SpawnFailure> =>
  Effect.uninterruptible(Effect.callback((resume) => {
    const [command, ...parameters] = config.command
    const program = command.includes("/") ? resolve(base, command) : command
    const refuse = (error: NodeJS.ErrnoException) => resume(Effect.fail(failure(program, base, error)))
    try {
      const child = spawn(program, parameters, {
        cwd: base,
        env: { ...process.env, ...config.env },
        // A group and session of its own: signals reach all of it, and those of our terminal do not.
        detached: true,
        stdio: ["pipe", "pipe", "pipe"]
      })
      child.on("error", refuse)
      if (child.pid !== undefined) resume(Effect.succeed(new Child(child, child.pid, log)))
    } catch (error) {
      // What spawn throws at once (a NUL in an argument, say) is an Error.
      refuse(error as Error)
    }
  }))
